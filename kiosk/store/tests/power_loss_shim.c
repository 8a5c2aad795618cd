/* Preloaded under the power-loss test: writes down every change to a file below SHIM_ROOT, in order.
 * Event: op, path length u16, offset i64, data length u32, path, data (little endian).
 * W write, T truncate, S sync of a file, D sync of a folder, R rename (data: new path), U unlink, C create, M mkdir,
 * A a line the test wrote into its "ack" file: everything before it was promised. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 1024
static int out = -1;
static char names[FDS][512];
static char folders[FDS];

static const char *below(const char *path) {
  const char *root = getenv("SHIM_ROOT");
  size_t n = root ? strlen(root) : 0;
  if (!n || strncmp(path, root, n) || (path[n] != '/' && path[n])) return NULL;
  return path[n] ? path + n + 1 : path + n;
}

static void event(char op, const char *path, int64_t off, uint32_t len, const void *data) {
  static ssize_t (*w)(int, const void *, size_t);
  if (!w) w = dlsym(RTLD_NEXT, "write");
  if (out < 0) {
    int (*o)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    out = o(getenv("SHIM_LOG"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (out < 0) abort();
  }
  uint16_t n = (uint16_t)strlen(path);
  char head[15];
  head[0] = op;
  memcpy(head + 1, &n, 2);
  memcpy(head + 3, &off, 8);
  memcpy(head + 11, &len, 4);
  struct iovec parts[3] = {{head, 15}, {(void *)path, n}, {(void *)data, data ? len : 0}};
  size_t all = 15 + n + (data ? len : 0);
  if (writev(out, parts, 3) != (ssize_t)all) abort();
}

static int known(int fd) { return fd >= 0 && fd < FDS && names[fd][0]; }

static void opened(int fd, const char *path, int flags, int was) {
  if (fd < 0 || fd >= FDS) return;
  names[fd][0] = 0;
  const char *name = below(path);
  if (!name) return;
  struct stat st;
  folders[fd] = !fstat(fd, &st) && S_ISDIR(st.st_mode);
  snprintf(names[fd], sizeof names[fd], "%s", *name ? name : ".");
  if (!was && (flags & O_CREAT)) event('C', names[fd], 0, 0, NULL);
  if (was && (flags & O_TRUNC)) event('T', names[fd], 0, 0, NULL);
}

#define OPEN(name)                                                            \
  int name(const char *path, int flags, ...) {                                \
    va_list args;                                                             \
    va_start(args, flags);                                                    \
    int mode = va_arg(args, int);                                             \
    va_end(args);                                                             \
    static int (*real)(const char *, int, ...);                               \
    if (!real) real = dlsym(RTLD_NEXT, #name);                                \
    int was = access(path, F_OK) == 0;                                        \
    int fd = real(path, flags, mode);                                         \
    opened(fd, path, flags, was);                                             \
    return fd;                                                                \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "close");
  if (fd >= 0 && fd < FDS) names[fd][0] = 0;
  return real(fd);
}

#define PWRITE(name)                                                          \
  ssize_t name(int fd, const void *data, size_t n, off_t off) {               \
    static ssize_t (*real)(int, const void *, size_t, off_t);                 \
    if (!real) real = dlsym(RTLD_NEXT, #name);                                \
    ssize_t done = real(fd, data, n, off);                                    \
    if (done > 0 && known(fd)) event('W', names[fd], off, done, data);        \
    return done;                                                              \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *data, size_t n) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  ssize_t done = real(fd, data, n);
  if (done > 0 && known(fd)) {
    if (!strcmp(names[fd], "ack")) event('A', names[fd], 0, done, data);
    else event('W', names[fd], lseek(fd, 0, SEEK_CUR) - done, done, data);
  }
  return done;
}

#define SYNC(name)                                                            \
  int name(int fd) {                                                          \
    static int (*real)(int);                                                  \
    if (!real) real = dlsym(RTLD_NEXT, #name);                                \
    int end = real(fd);                                                       \
    if (!end && known(fd)) event(folders[fd] ? 'D' : 'S', names[fd], 0, 0, NULL); \
    return end;                                                               \
  }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name)                                                        \
  int name(int fd, off_t n) {                                                 \
    static int (*real)(int, off_t);                                           \
    if (!real) real = dlsym(RTLD_NEXT, #name);                                \
    int end = real(fd, n);                                                    \
    if (!end && known(fd)) event('T', names[fd], n, 0, NULL);                 \
    return end;                                                               \
  }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int rename(const char *from, const char *to) {
  static int (*real)(const char *, const char *);
  if (!real) real = dlsym(RTLD_NEXT, "rename");
  int end = real(from, to);
  const char *a = below(from), *b = below(to);
  if (!end && a && b) event('R', a, 0, (uint32_t)strlen(b), b);
  return end;
}

int unlink(const char *path) {
  static int (*real)(const char *);
  if (!real) real = dlsym(RTLD_NEXT, "unlink");
  int end = real(path);
  const char *name = below(path);
  if (!end && name) event('U', name, 0, 0, NULL);
  return end;
}

int mkdir(const char *path, mode_t mode) {
  static int (*real)(const char *, mode_t);
  if (!real) real = dlsym(RTLD_NEXT, "mkdir");
  int end = real(path, mode);
  const char *name = below(path);
  if (!end && name) event('M', name, 0, 0, NULL);
  return end;
}
