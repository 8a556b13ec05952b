/*
 * What netlink needs and Node lacks: netlink sockets in a named network namespace, their readiness on libuv's loop, and
 * making, entering and deleting named namespaces. No protocol knowledge here: bytes in, bytes out. And giving memory back.
 *
 * Every function runs on the JavaScript thread and throws an Error with `code`, `errno` and `syscall`, like node:fs.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <malloc.h>
#include <node_api.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <uv.h>

#define PATH_BYTES 4096

/* Returns NULL from the calling function when Node-API refuses; the reason becomes a JavaScript exception. */
#define CHECK(call)                                                                                                    \
  do {                                                                                                                 \
    if ((call) != napi_ok) return refused(env);                                                                        \
  } while (0)

static napi_value refused(napi_env env) {
  const napi_extended_error_info *info = NULL;
  bool pending = false;
  napi_get_last_error_info(env, &info);
  const char *message = info && info->error_message ? info->error_message : "Node-API call failed";
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) napi_throw_error(env, "ERR_NAPI", message);
  return NULL;
}

static napi_value fail(napi_env env, int error, const char *syscall_name) {
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

static napi_value number(napi_env env, int64_t value) {
  napi_value result;
  CHECK(napi_create_int64(env, value, &result));
  return result;
}

/* Arguments; missing ones are undefined, which the typed getters refuse. */
static napi_status arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  return napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

static napi_status path_argument(napi_env env, napi_value value, char path[PATH_BYTES]) {
  size_t length = 0;
  napi_status status = napi_get_value_string_utf8(env, value, path, PATH_BYTES, &length);
  if (status == napi_ok && length + 1 >= PATH_BYTES) napi_throw_range_error(env, "ENAMETOOLONG", "path is too long");
  return status == napi_ok && length + 1 >= PATH_BYTES ? napi_pending_exception : status;
}

/* ---- network namespaces ---- */

struct visit {
  int home;
};

/* Enters the namespace at `path`. On success `leave` must follow; on failure nothing changed and errno is set. */
static const char *enter(struct visit *visit, const char *path) {
  const char *failed = NULL;
  int error = 0;
  int target = -1;
  visit->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (visit->home < 0) return "open";
  target = open(path, O_RDONLY | O_CLOEXEC);
  if (target < 0) failed = "open";
  else if (setns(target, CLONE_NEWNET)) failed = "setns";
  if (failed) {
    error = errno;
    close(visit->home);
  }
  if (target >= 0) close(target);
  if (failed) errno = error;
  return failed;
}

/* A thread that cannot go home would configure the wrong namespace from then on: there is no safe way forward. */
static void leave(struct visit *visit) {
  if (setns(visit->home, CLONE_NEWNET)) {
    perror("nodeleaf: cannot return to the agent's network namespace");
    abort();
  }
  close(visit->home);
}

/* runInNetns(path, function): calls the function while this thread is in the namespace; returns what it returns. */
static napi_value run_in_netns(napi_env env, napi_callback_info info) {
  napi_value args[2], self, result = NULL;
  char path[PATH_BYTES];
  struct visit visit;
  CHECK(arguments(env, info, 2, args));
  CHECK(path_argument(env, args[0], path));
  CHECK(napi_get_undefined(env, &self));
  const char *failed = enter(&visit, path);
  if (failed) return fail(env, errno, failed);
  napi_status status = napi_call_function(env, self, args[1], 0, NULL, &result);
  leave(&visit);
  CHECK(status);
  return result;
}

/*
 * Makes `directory` a shared mount, so that mounts below it reach every mount namespace that has it: what iproute2 does
 * with /run/netns. A mount point of its own is made by binding the directory on itself. Serialised by a lock on it.
 */
static const char *share(const char *directory) {
  const char *failed = NULL;
  int error = 0;
  int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) return "open";
  if (flock(lock, LOCK_EX)) failed = "flock";
  else if (mount("", directory, "none", MS_SHARED | MS_REC, NULL)) {
    if (errno != EINVAL || mount(directory, directory, "none", MS_BIND | MS_REC, NULL) ||
        mount("", directory, "none", MS_SHARED | MS_REC, NULL))
      failed = "mount";
  }
  error = errno;
  close(lock);
  errno = error;
  return failed;
}

struct creation {
  const char *path;
  int error;
  const char *failed;
};

/* Runs in a thread of its own: unshares, binds its new namespace on the path, and ends. */
static void *unshare_and_bind(void *argument) {
  struct creation *creation = argument;
  char own[64];
  snprintf(own, sizeof own, "/proc/self/task/%ld/ns/net", syscall(SYS_gettid));
  if (unshare(CLONE_NEWNET)) creation->failed = "unshare";
  else if (mount(own, creation->path, "none", MS_BIND, NULL)) creation->failed = "mount";
  if (creation->failed) creation->error = errno;
  return NULL;
}

/* createNetns(path): EEXIST when a namespace is there already. A file left by a crash before the mount is taken over. */
static napi_value create_netns(napi_env env, napi_callback_info info) {
  napi_value args[1];
  char path[PATH_BYTES], directory[PATH_BYTES];
  struct statfs fs;
  pthread_t thread;
  CHECK(arguments(env, info, 1, args));
  CHECK(path_argument(env, args[0], path));
  strcpy(directory, path);
  char *slash = strrchr(directory, '/');
  if (!slash || slash == directory) return fail(env, EINVAL, "open");
  *slash = '\0';
  if (mkdir(directory, 0755) && errno != EEXIST) return fail(env, errno, "mkdir");
  const char *failed = share(directory);
  if (failed) return fail(env, errno, failed);
  int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444);
  if (file < 0) return fail(env, errno, "open");
  int status = fstatfs(file, &fs), error = errno;
  close(file);
  if (status) return fail(env, error, "fstatfs");
  if (fs.f_type == NSFS_MAGIC) return fail(env, EEXIST, "open");
  struct creation creation = {path, 0, NULL};
  error = pthread_create(&thread, NULL, unshare_and_bind, &creation);
  if (error) {
    unlink(path);
    return fail(env, error, "pthread_create");
  }
  pthread_join(thread, NULL);
  if (creation.failed) {
    unlink(path);
    return fail(env, creation.error, creation.failed);
  }
  return NULL;
}

/* deleteNetns(path): the kernel destroys the namespace when its last user (process, socket, mount) is gone. */
static napi_value delete_netns(napi_env env, napi_callback_info info) {
  napi_value args[1];
  char path[PATH_BYTES];
  CHECK(arguments(env, info, 1, args));
  CHECK(path_argument(env, args[0], path));
  /* EINVAL: a plain file, left by a crash between creation and mount. */
  if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) && errno != EINVAL) return fail(env, errno, "umount2");
  if (unlink(path)) return fail(env, errno, "unlink");
  return NULL;
}

/* ---- sockets ---- */

/* openSocket(protocol, netnsPath | null) -> fd, bound, non-blocking. A socket belongs to the netns it is made in. */
static napi_value open_socket(napi_env env, napi_callback_info info) {
  napi_value args[2];
  napi_valuetype type;
  int32_t protocol;
  char path[PATH_BYTES];
  struct visit visit;
  CHECK(arguments(env, info, 2, args));
  CHECK(napi_get_value_int32(env, args[0], &protocol));
  CHECK(napi_typeof(env, args[1], &type));
  bool elsewhere = type != napi_null && type != napi_undefined;
  if (elsewhere) {
    CHECK(path_argument(env, args[1], path));
    const char *failed = enter(&visit, path);
    if (failed) return fail(env, errno, failed);
  }
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), error = errno;
  if (elsewhere) leave(&visit);
  if (fd < 0) return fail(env, error, "socket");
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) {
    error = errno;
    close(fd);
    return fail(env, error, "bind");
  }
  napi_value result = number(env, fd);
  if (!result) close(fd);
  return result;
}

/* setOption(fd, level, name, value) */
static napi_value set_option(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int32_t fd, level, name, value;
  CHECK(arguments(env, info, 4, args));
  CHECK(napi_get_value_int32(env, args[0], &fd));
  CHECK(napi_get_value_int32(env, args[1], &level));
  CHECK(napi_get_value_int32(env, args[2], &name));
  CHECK(napi_get_value_int32(env, args[3], &value));
  if (setsockopt(fd, level, name, &value, sizeof value)) return fail(env, errno, "setsockopt");
  return NULL;
}

/* send(fd, bytes): the kernel handles the requests before this returns. */
static napi_value send_bytes(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t fd;
  void *bytes;
  size_t length;
  ssize_t sent;
  CHECK(arguments(env, info, 2, args));
  CHECK(napi_get_value_int32(env, args[0], &fd));
  CHECK(napi_get_buffer_info(env, args[1], &bytes, &length));
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  do sent = sendto(fd, bytes, length, 0, (struct sockaddr *)&kernel, sizeof kernel);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? fail(env, errno, "send") : number(env, sent);
}

/* setFilter(fd, program): only what the classic BPF program (struct sock_filter, as bytes) accepts is queued from now on. */
static napi_value set_filter(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t fd;
  void *bytes;
  size_t length;
  CHECK(arguments(env, info, 2, args));
  CHECK(napi_get_value_int32(env, args[0], &fd));
  CHECK(napi_get_buffer_info(env, args[1], &bytes, &length));
  struct sock_fprog program = {.len = length / sizeof(struct sock_filter), .filter = bytes};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program)) return fail(env, errno, "setsockopt");
  return NULL;
}

#define MOST_DATAGRAMS 32

/*
 * receive(fd, buffer, datagrams) -> bytes of the next datagrams, at most so many, one after the other, each from a multiple
 * of four on; 0 when there is none. Each may be as long as its part of the buffer, otherwise: EMSGSIZE, and all that were
 * taken are lost. What did not come from the kernel is dropped.
 */
static napi_value receive_bytes(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t fd, datagrams;
  void *bytes;
  size_t length;
  CHECK(arguments(env, info, 3, args));
  CHECK(napi_get_value_int32(env, args[0], &fd));
  CHECK(napi_get_buffer_info(env, args[1], &bytes, &length));
  CHECK(napi_get_value_int32(env, args[2], &datagrams));
  if (datagrams < 1 || datagrams > MOST_DATAGRAMS) return fail(env, EINVAL, "recv");
  size_t room = length / datagrams & ~(size_t)3, used = 0;
  struct mmsghdr messages[MOST_DATAGRAMS] = {0};
  struct sockaddr_nl from[MOST_DATAGRAMS] = {0};
  struct iovec parts[MOST_DATAGRAMS];
  for (int i = 0; i < datagrams; i++) {
    parts[i] = (struct iovec){.iov_base = (char *)bytes + i * room, .iov_len = room};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  do {
    for (int i = 0; i < datagrams; i++) {
      messages[i].msg_hdr.msg_name = &from[i];
      messages[i].msg_hdr.msg_namelen = sizeof from[i];
    }
    int got = recvmmsg(fd, messages, datagrams, MSG_DONTWAIT, NULL);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN ? number(env, 0) : fail(env, errno, "recv");
    for (int i = 0; i < got; i++) {
      if (from[i].nl_pid != 0) continue;
      if (messages[i].msg_hdr.msg_flags & MSG_TRUNC) return fail(env, EMSGSIZE, "recv");
      memmove((char *)bytes + used, parts[i].iov_base, messages[i].msg_len);
      used += (messages[i].msg_len + 3) & ~3u;
    }
  } while (used == 0);
  return number(env, used);
}

/* closeSocket(fd): fs.closeSync would do, but warns in a worker about a descriptor that it did not open. */
static napi_value close_socket(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int32_t fd;
  CHECK(arguments(env, info, 1, args));
  CHECK(napi_get_value_int32(env, args[0], &fd));
  if (close(fd)) return fail(env, errno, "close");
  return NULL;
}

/* ---- readiness ---- */

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
static napi_value watch_socket(napi_env env, napi_callback_info info) {
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
static napi_value unwatch_socket(napi_env env, napi_callback_info info) {
  napi_value args[1];
  void *data;
  CHECK(arguments(env, info, 1, args));
  CHECK(napi_get_value_external(env, args[0], &data));
  struct handle *handle = data;
  if (handle->watch) stop(handle->watch);
  return NULL;
}

/*
 * trimMemory(): the C library keeps what was freed between what is in use, tens of MiB after a large answer was read or
 * much was compiled, until it is asked (malloc_trim(3)).
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
