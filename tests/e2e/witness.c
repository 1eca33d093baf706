/* Preloaded into a process, writes down in order what it does to files under $WITNESS_ROOT and says to sockets.
 *
 * Each event is one append to $WITNESS_LOG: a head, then its payload. What changes a file is noted after it was done; a
 * sync is noted before and after, and what goes to a socket before it leaves: whatever is noted later cannot have been
 * on the disk by then. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 65536, MOST_SAID = 4096 };
struct head { int32_t kind, fd; int64_t at; uint32_t length; } __attribute__((packed));

static const char *root;
static int book = -1;
static char watched[FDS];

__attribute__((constructor)) static void begin(void) {
    root = getenv("WITNESS_ROOT");
    book = syscall(SYS_openat, AT_FDCWD, getenv("WITNESS_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note(int kind, int fd, int64_t at, const void *data, size_t length) {
    struct head head = {kind, fd, at, length};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)data, length}};
    if (syscall(SYS_writev, book, parts, 2) != (long)(sizeof head + length)) abort();
}

static int under_root(const char *path) { return strncmp(path, root, strlen(root)) == 0; }
static int is_watched(int fd) { return fd >= 0 && fd < FDS && watched[fd]; }

static void said(int fd, const void *data, size_t length) {
    struct stat it;
    if (fstat(fd, &it) == 0 && S_ISSOCK(it.st_mode)) note('N', fd, 0, data, length < MOST_SAID ? length : MOST_SAID);
}

static int opened(int fd, const char *path, int flags) {
    if (fd >= 0 && fd < FDS && (watched[fd] = under_root(path))) note('O', fd, flags & O_TRUNC, path, strlen(path));
    return fd;
}

static void wrote(int fd, const void *data, ssize_t length, int64_t at) {
    if (length > 0) note('W', fd, at < 0 ? lseek(fd, 0, SEEK_CUR) - length : at, data, length);
}

#define REAL(name, result, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(#name, int, const char *, int, ...); \
        va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
        return opened(real(path, flags, mode), path, flags); \
    }
OPEN(open)
OPEN(open64)

#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t length, off_t at) { \
        REAL(#name, ssize_t, int, const void *, size_t, off_t); \
        ssize_t done = real(fd, data, length, at); \
        if (is_watched(fd)) wrote(fd, data, done, at); \
        return done; \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *data, size_t length) {
    REAL("write", ssize_t, int, const void *, size_t);
    if (!is_watched(fd)) said(fd, data, length);
    ssize_t done = real(fd, data, length);
    if (is_watched(fd)) wrote(fd, data, done, -1);
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL("writev", ssize_t, int, const struct iovec *, int);
    for (int k = 0; k < count; k++) said(fd, parts[k].iov_base, parts[k].iov_len);
    return real(fd, parts, count);
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
    REAL("send", ssize_t, int, const void *, size_t, int);
    said(fd, data, length);
    return real(fd, data, length, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    REAL("sendmsg", ssize_t, int, const struct msghdr *, int);
    for (size_t k = 0; k < message->msg_iovlen; k++)
        said(fd, message->msg_iov[k].iov_base, message->msg_iov[k].iov_len);
    return real(fd, message, flags);
}

#define TRUNCATE(name) \
    int name(int fd, off_t size) { \
        REAL(#name, int, int, off_t); \
        int failed = real(fd, size); \
        if (!failed && is_watched(fd)) note('T', fd, size, "", 0); \
        return failed; \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define SYNC(name) \
    int name(int fd) { \
        REAL(#name, int, int); \
        if (is_watched(fd)) note('S', fd, 0, "", 0); \
        int failed = real(fd); \
        if (!failed && is_watched(fd)) note('s', fd, 0, "", 0); \
        return failed; \
    }
SYNC(fsync)
SYNC(fdatasync)

int mkdir(const char *path, mode_t mode) {
    REAL("mkdir", int, const char *, mode_t);
    int failed = real(path, mode);
    if (!failed && under_root(path)) note('M', -1, 0, path, strlen(path));
    return failed;
}

int unlink(const char *path) {
    REAL("unlink", int, const char *);
    int failed = real(path);
    if (!failed && under_root(path)) note('U', -1, 0, path, strlen(path));
    return failed;
}

int rename(const char *from, const char *to) {
    REAL("rename", int, const char *, const char *);
    int failed = real(from, to);
    if (!failed && under_root(to)) {
        size_t first = strlen(from) + 1, second = strlen(to);
        char both[first + second];
        memcpy(both, from, first);
        memcpy(both + first, to, second);
        note('R', -1, 0, both, sizeof both);
    }
    return failed;
}

int close(int fd) {
    REAL("close", int, int);
    if (is_watched(fd)) {
        note('C', fd, 0, "", 0);
        watched[fd] = 0;
    }
    return real(fd);
}
