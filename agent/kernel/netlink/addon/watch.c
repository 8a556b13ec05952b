/* Whether there is something to read, on libuv's loop. */
#define _GNU_SOURCE
#include "addon.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

/*
 * A watch polls a duplicate of the descriptor, so that closing the socket first does no harm. It lives until libuv has
 * closed its handle; `handle` is what JavaScript holds, and it outlives the watch.
 */
struct watch {
  uv_poll_t poll;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  struct handle *handle;
  int fd;
  bool closing;
};

struct handle {
  struct watch *watch;
};

static void on_closed(uv_handle_t *closed) {
  struct watch *watch = closed->data;
  close(watch->fd);
  if (watch->callback) napi_delete_reference(watch->env, watch->callback);
  if (watch->context) napi_async_destroy(watch->env, watch->context);
  /* Last: it tells Node that the environment may be torn down. */
  if (watch->cleanup) napi_remove_async_cleanup_hook(watch->cleanup);
  free(watch);
}

static void stop(struct watch *watch) {
  if (watch->closing) return;
  watch->closing = true;
  if (watch->handle) watch->handle->watch = NULL;
  uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static void on_teardown(napi_async_cleanup_hook_handle handle, void *argument) {
  (void)handle;
  stop(argument);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  struct watch *watch = poll->data;
  napi_env env = watch->env;
  napi_handle_scope scope;
  napi_value callback, self, error;
  (void)events;
  /* An overrun raises POLLERR, at which libuv stops polling; the reader clears the error by reading it. */
  if (status < 0) uv_poll_start(poll, UV_READABLE, on_ready);
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, watch->callback, &callback) == napi_ok && napi_get_global(env, &self) == napi_ok) {
    /* The callback may stop the watch: it is not touched afterwards. */
    napi_status called = napi_make_callback(env, watch->context, self, callback, 0, NULL, NULL);
    if (called == napi_pending_exception && napi_get_and_clear_last_exception(env, &error) == napi_ok)
      napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

static void free_handle(napi_env env, void *data, void *hint) {
  struct handle *handle = data;
  (void)env;
  (void)hint;
  if (handle->watch) handle->watch->handle = NULL;
  free(handle);
}

/* watch(fd, callback) -> handle: calls back whenever there is something to read, and keeps the process alive. */
napi_value watch_socket(napi_env env, napi_callback_info info) {
  napi_value args[2], name, external;
  napi_valuetype type;
  int32_t fd;
  uv_loop_t *loop;
  CHECK(arguments(env, info, 2, args));
  CHECK(napi_get_value_int32(env, args[0], &fd));
  CHECK(napi_typeof(env, args[1], &type));
  if (type != napi_function) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "callback must be a function");
    return NULL;
  }
  CHECK(napi_create_string_utf8(env, "netlink", NAPI_AUTO_LENGTH, &name));
  CHECK(napi_get_uv_event_loop(env, &loop));

  struct watch *watch = calloc(1, sizeof *watch);
  struct handle *handle = calloc(1, sizeof *handle);
  int copy = watch && handle ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
  int error = watch && handle ? errno : ENOMEM;
  if (copy >= 0) {
    int status = uv_poll_init(loop, &watch->poll, copy);
    if (status < 0) {
      error = -status;
      close(copy);
      copy = -1;
    }
  }
  if (copy < 0) {
    free(watch);
    free(handle);
    return fail(env, error, "watch");
  }
  /* From here on stop() is the way out, whatever fails. */
  watch->poll.data = watch;
  watch->env = env;
  watch->fd = copy;
  if (napi_create_external(env, handle, free_handle, NULL, &external) != napi_ok) {
    free(handle);
    stop(watch);
    return refused(env);
  }
  watch->handle = handle;
  handle->watch = watch;
  if (napi_create_reference(env, args[1], 1, &watch->callback) != napi_ok ||
      napi_async_init(env, NULL, name, &watch->context) != napi_ok ||
      napi_add_async_cleanup_hook(env, on_teardown, watch, &watch->cleanup) != napi_ok) {
    stop(watch);
    return refused(env);
  }
  int status = uv_poll_start(&watch->poll, UV_READABLE, on_ready);
  if (status < 0) {
    stop(watch);
    return fail(env, -status, "watch");
  }
  return external;
}

/* unwatch(handle): no call comes after it; a second time is harmless. */
napi_value unwatch_socket(napi_env env, napi_callback_info info) {
  napi_value args[1];
  void *data;
  CHECK(arguments(env, info, 1, args));
  CHECK(napi_get_value_external(env, args[0], &data));
  struct handle *handle = data;
  if (handle->watch) stop(handle->watch);
  return NULL;
}
