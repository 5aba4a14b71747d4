/* Stands between a node and its disk (LD_PRELOAD): makes syncs of the log wait, counts them, and fills the disk.
 *
 * DISK_ROOT   only files below this folder are touched
 * DISK_GATE   while this file exists, a sync of a write-ahead log waits
 * DISK_SYNCS  gets one byte for each sync of a write-ahead log that has passed
 * DISK_DELAY  microseconds that such a sync takes at least
 * DISK_FULL   while this file exists, nothing can be written
 * DISK_LEFT   gets a byte for each write that may still pass; without it none may
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int path_of(int fd, char *path, size_t size) {
    char link[64];
    const char *root = getenv("DISK_ROOT");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (!root || length < 0) return 0;
    path[length] = 0;
    return strncmp(path, root, strlen(root)) == 0;
}

static int exists(const char *name) {
    const char *file = getenv(name);
    return file && access(file, F_OK) == 0;
}

static int is_wal(const char *path) {
    size_t length = strlen(path);
    return strstr(path, "/log/") && length > 4 && strcmp(path + length - 4, ".log") == 0;
}

static void before_sync(int fd) {
    char path[4096];
    if (!path_of(fd, path, sizeof path) || !is_wal(path)) return;
    while (exists("DISK_GATE")) usleep(500);
    const char *delay = getenv("DISK_DELAY");
    if (delay) usleep((useconds_t)atol(delay));
    const char *syncs = getenv("DISK_SYNCS");
    int counter = syncs ? (int)syscall(SYS_openat, AT_FDCWD, syncs, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
    if (counter >= 0) {
        syscall(SYS_write, counter, "s", 1);
        close(counter);
    }
}

/* Takes one of the writes that are left, if any is. */
static int one_left(void) {
    const char *left = getenv("DISK_LEFT");
    struct stat found;
    if (!left || stat(left, &found) != 0 || found.st_size == 0) return 0;
    return truncate(left, found.st_size - 1) == 0;
}

static int is_full(int fd) {
    char path[4096];
    if (!exists("DISK_FULL") || !path_of(fd, path, sizeof path)) return 0;
    if (one_left()) return 0;
    errno = ENOSPC;
    return 1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

int fdatasync(int fd) { REAL(int, "fdatasync", int); before_sync(fd); return real(fd); }
int fsync(int fd) { REAL(int, "fsync", int); before_sync(fd); return real(fd); }

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return is_full(fd) ? -1 : real(fd, bytes, size);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return is_full(fd) ? -1 : real(fd, parts, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return is_full(fd) ? -1 : real(fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return is_full(fd) ? -1 : real(fd, bytes, size, at);
}
int fallocate(int fd, int mode, off_t at, off_t size) {
    REAL(int, "fallocate", int, int, off_t, off_t);
    return is_full(fd) ? -1 : real(fd, mode, at, size);
}
int fallocate64(int fd, int mode, off64_t at, off64_t size) {
    REAL(int, "fallocate64", int, int, off64_t, off64_t);
    return is_full(fd) ? -1 : real(fd, mode, at, size);
}
