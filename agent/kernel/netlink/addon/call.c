/* What a function answers, and what it is given. */
#define _GNU_SOURCE
#include "addon.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

napi_value refused(napi_env env) {
  const napi_extended_error_info *info = NULL;
  bool pending = false;
  napi_get_last_error_info(env, &info);
  const char *message = info && info->error_message ? info->error_message : "Node-API call failed";
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) napi_throw_error(env, "ERR_NAPI", message);
  return NULL;
}

napi_value fail(napi_env env, int error, const char *syscall_name) {
  char text[256];
  const char *name = strerrorname_np(error);
  napi_value message, code, exception, number, call;
  snprintf(text, sizeof text, "%s: %s", syscall_name, strerror(error));
  CHECK(napi_create_string_utf8(env, name ? name : "EUNKNOWN", NAPI_AUTO_LENGTH, &code));
  CHECK(napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message));
  CHECK(napi_create_error(env, code, message, &exception));
  CHECK(napi_create_int32(env, error, &number));
  CHECK(napi_set_named_property(env, exception, "errno", number));
  CHECK(napi_create_string_utf8(env, syscall_name, NAPI_AUTO_LENGTH, &call));
  CHECK(napi_set_named_property(env, exception, "syscall", call));
  CHECK(napi_throw(env, exception));
  return NULL;
}

napi_value number(napi_env env, int64_t value) {
  napi_value result;
  CHECK(napi_create_int64(env, value, &result));
  return result;
}

/* Arguments; missing ones are undefined, which the typed getters refuse. */
napi_status arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  return napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

napi_status path_argument(napi_env env, napi_value value, char path[PATH_BYTES]) {
  size_t length = 0;
  napi_status status = napi_get_value_string_utf8(env, value, path, PATH_BYTES, &length);
  if (status == napi_ok && length + 1 >= PATH_BYTES) napi_throw_range_error(env, "ENAMETOOLONG", "path is too long");
  return status == napi_ok && length + 1 >= PATH_BYTES ? napi_pending_exception : status;
}
