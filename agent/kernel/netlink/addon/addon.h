/*
 * What Node lacks for netlink: netlink sockets in a named network namespace, their readiness on libuv's loop, and making,
 * entering and deleting named namespaces. No protocol knowledge here: bytes in, bytes out. And giving memory back.
 *
 * Every function runs on the JavaScript thread and throws an Error with `code`, `errno` and `syscall`, like node:fs.
 */
#pragma once
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdint.h>

#define PATH_BYTES 4096

/* Returns NULL from the calling function when Node-API refuses; the reason becomes a JavaScript exception. */
#define CHECK(call)                                                                                                    \
  do {                                                                                                                 \
    if ((call) != napi_ok) return refused(env);                                                                        \
  } while (0)

/* call.c: what a function answers, and what it is given. */
napi_value refused(napi_env env);
napi_value fail(napi_env env, int error, const char *syscall_name);
napi_value number(napi_env env, int64_t value);
napi_status arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values);
napi_status path_argument(napi_env env, napi_value value, char path[PATH_BYTES]);

/* netns.c: network namespaces. */
struct visit {
  int home;
};
/*
 * Enters the namespace at `path`. On success `leave` must follow; on failure nothing changed, errno is set, and the name of
 * what failed is returned.
 */
const char *enter(struct visit *visit, const char *path);
void leave(struct visit *visit);
napi_value run_in_netns(napi_env env, napi_callback_info info);
napi_value create_netns(napi_env env, napi_callback_info info);
napi_value delete_netns(napi_env env, napi_callback_info info);

/* socket.c: netlink sockets. */
napi_value open_socket(napi_env env, napi_callback_info info);
napi_value close_socket(napi_env env, napi_callback_info info);
napi_value set_option(napi_env env, napi_callback_info info);
napi_value set_filter(napi_env env, napi_callback_info info);
napi_value send_bytes(napi_env env, napi_callback_info info);
napi_value receive_bytes(napi_env env, napi_callback_info info);

/* watch.c: whether there is something to read. */
napi_value watch_socket(napi_env env, napi_callback_info info);
napi_value unwatch_socket(napi_env env, napi_callback_info info);
