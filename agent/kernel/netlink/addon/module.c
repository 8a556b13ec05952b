/* The functions that JavaScript sees, and how the C library keeps memory. */
#define _GNU_SOURCE
#include "addon.h"
#include <malloc.h>

/*
 * trimMemory(): the C library keeps what was freed between what is in use, after a large answer was read or much was
 * compiled, until it is asked (malloc_trim(3)).
 */
static napi_value trim_memory(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return NULL;
}

NAPI_MODULE_INIT() {
#ifdef __GLIBC__
  /*
   * What V8's threads allocate goes where there is room already, not to places of their own; and what is large stays apart,
   * so that it is given back when it is freed: left alone the threshold grows with what is freed (mallopt(3)).
   */
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
  static const struct {
    const char *name;
    napi_callback function;
  } functions[] = {
      {"openSocket", open_socket}, {"closeSocket", close_socket},  {"setOption", set_option},
      {"send", send_bytes},
      {"setFilter", set_filter},   {"receive", receive_bytes},
      {"watch", watch_socket},     {"unwatch", unwatch_socket},
      {"runInNetns", run_in_netns}, {"createNetns", create_netns}, {"deleteNetns", delete_netns},
      {"trimMemory", trim_memory},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    CHECK(napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function));
    CHECK(napi_set_named_property(env, exports, functions[i].name, function));
  }
  return exports;
}
