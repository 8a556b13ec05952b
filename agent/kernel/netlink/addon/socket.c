/* Netlink sockets: opened in a namespace, bytes in, bytes out. */
#define _GNU_SOURCE
#include "addon.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* openSocket(protocol, netnsPath | null) -> fd, bound, non-blocking. A socket belongs to the netns it is made in. */
napi_value open_socket(napi_env env, napi_callback_info info) {
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
napi_value set_option(napi_env env, napi_callback_info info) {
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
napi_value send_bytes(napi_env env, napi_callback_info info) {
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
napi_value set_filter(napi_env env, napi_callback_info info) {
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
napi_value receive_bytes(napi_env env, napi_callback_info info) {
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
napi_value close_socket(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int32_t fd;
  CHECK(arguments(env, info, 1, args));
  CHECK(napi_get_value_int32(env, args[0], &fd));
  if (close(fd)) return fail(env, errno, "close");
  return NULL;
}
