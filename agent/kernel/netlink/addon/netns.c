/* Network namespaces: entered for a moment, made with a name, deleted. */
#define _GNU_SOURCE
#include "addon.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

const char *enter(struct visit *visit, const char *path) {
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
void leave(struct visit *visit) {
  if (setns(visit->home, CLONE_NEWNET)) {
    perror("nodeleaf: cannot return to the agent's network namespace");
    abort();
  }
  close(visit->home);
}

/* runInNetns(path, function): calls the function while this thread is in the namespace; returns what it returns. */
napi_value run_in_netns(napi_env env, napi_callback_info info) {
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
napi_value create_netns(napi_env env, napi_callback_info info) {
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
napi_value delete_netns(napi_env env, napi_callback_info info) {
  napi_value args[1];
  char path[PATH_BYTES];
  CHECK(arguments(env, info, 1, args));
  CHECK(path_argument(env, args[0], path));
  /* EINVAL: a plain file, left by a crash between creation and mount. */
  if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) && errno != EINVAL) return fail(env, errno, "umount2");
  if (unlink(path)) return fail(env, errno, "unlink");
  return NULL;
}
