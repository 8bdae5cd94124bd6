/* Writes down what a process does to the files of one folder, in order: for LD_PRELOAD.
 *
 * DISK_LOG_FOLDER is watched, DISK_LOG_FILE gets one record for each call that succeeded: a header,
 * the file's name, then what was written. Call and record are one step to other threads. What lives
 * in shared memory only (SQLite's index of its log) is left out: it is made anew after a crash.
 *
 * With DISK_FULL_AFTER the disk is full after so many writes: each further one is refused.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct header {
    uint64_t file;   /* inode */
    uint64_t offset; /* of a write; new size of a truncation */
    uint32_t size;   /* bytes that follow the name */
    uint16_t name;   /* bytes of the name that follow the header */
    uint8_t what;    /* see tests/support/disk_log.py */
    uint8_t unused;
};

static pthread_mutex_t turn = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int log_file = -1;
static char folder[1024];
static size_t folder_size;

static int ready(void) {
    if (log_file >= 0)
        return 1;
    const char *watched = getenv("DISK_LOG_FOLDER"), *path = getenv("DISK_LOG_FILE");
    if (!watched || !path || strlen(watched) >= sizeof folder)
        return 0;
    strcpy(folder, watched);
    folder_size = strlen(folder);
    log_file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    return log_file >= 0;
}

/* The name inside the folder, "" for the folder itself, NULL for anything else. */
static const char *inside(const char *path) {
    if (!ready() || strncmp(path, folder, folder_size))
        return NULL;
    if (!path[folder_size])
        return path + folder_size;
    if (path[folder_size] != '/')
        return NULL;
    size_t size = strlen(path);
    return size > 4 && !strcmp(path + size - 4, "-shm") ? NULL : path + folder_size + 1;
}

static const char *name_of(int handle, char *room, size_t size) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t got = readlink(link, room, size - 1);
    if (got < 0)
        return NULL;
    room[got] = 0;
    return inside(room);
}

static uint64_t inode(int handle) {
    struct stat found;
    return fstat(handle, &found) ? 0 : (uint64_t)found.st_ino;
}

static void note(char what, const char *name, uint64_t file, uint64_t at, const void *data,
                 size_t size) {
    struct header head = {file, at, (uint32_t)size, (uint16_t)strlen(name), (uint8_t)what, 0};
    struct iovec parts[3] = {
        {&head, sizeof head}, {(void *)name, head.name}, {(void *)data, size}};
    if (syscall(SYS_writev, log_file, parts, 3) != (long)(sizeof head + head.name + size))
        abort();
}

/* Is there no room for one more write? */
static int full(const char *name) {
    static long left = -2; /* writes that there is room for; -1: for all */
    if (left == -2) {
        const char *after = getenv("DISK_FULL_AFTER");
        left = after ? strtol(after, NULL, 10) : -1;
    }
    if (!name || left < 0 || left-- > 0)
        return 0;
    left = 0;
    errno = ENOSPC;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRITE(symbol, offset_type)                                                                 \
    ssize_t symbol(int handle, const void *data, size_t size, offset_type at) {                    \
        char room[2048];                                                                           \
        pthread_mutex_lock(&turn);                                                                 \
        const char *name = name_of(handle, room, sizeof room);                                     \
        ssize_t done = full(name) ? -1 : REAL(symbol)(handle, data, size, at);                                      \
        if (name && done > 0)                                                                      \
            note('w', name, inode(handle), (uint64_t)at, data, (size_t)done);                      \
        pthread_mutex_unlock(&turn);                                                               \
        return done;                                                                               \
    }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

ssize_t write(int handle, const void *data, size_t size) {
    char room[2048];
    pthread_mutex_lock(&turn);
    const char *name = name_of(handle, room, sizeof room);
    off_t at = name ? lseek(handle, 0, SEEK_CUR) : 0;
    ssize_t done = full(name) ? -1 : REAL(write)(handle, data, size);
    if (name && done > 0)
        note('w', name, inode(handle), (uint64_t)at, data, (size_t)done);
    pthread_mutex_unlock(&turn);
    return done;
}

#define TRUNCATE(symbol, offset_type)                                                              \
    int symbol(int handle, offset_type size) {                                                     \
        char room[2048];                                                                           \
        pthread_mutex_lock(&turn);                                                                 \
        const char *name = name_of(handle, room, sizeof room);                                     \
        int done = REAL(symbol)(handle, size);                                                     \
        if (name && !done)                                                                         \
            note('t', name, inode(handle), (uint64_t)size, "", 0);                                 \
        pthread_mutex_unlock(&turn);                                                               \
        return done;                                                                               \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(symbol)                                                                               \
    int symbol(int handle) {                                                                       \
        char room[2048];                                                                           \
        pthread_mutex_lock(&turn);                                                                 \
        const char *name = name_of(handle, room, sizeof room);                                     \
        int done = REAL(symbol)(handle);                                                           \
        if (name && !done)                                                                         \
            note('s', name, inode(handle), 0, "", 0);                                              \
        pthread_mutex_unlock(&turn);                                                               \
        return done;                                                                               \
    }
SYNC(fsync)
SYNC(fdatasync)

static void opened(int handle, int flags) {
    char room[2048];
    if (handle < 0 || !(flags & (O_CREAT | O_TRUNC)))
        return;
    const char *name = name_of(handle, room, sizeof room);
    if (!name || !*name)
        return;
    note('c', name, inode(handle), 0, "", 0);
    if (flags & O_TRUNC)
        note('t', name, inode(handle), 0, "", 0);
}

#define OPEN(symbol)                                                                               \
    int symbol(const char *path, int flags, ...) {                                                 \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;                                  \
        va_end(more);                                                                              \
        pthread_mutex_lock(&turn);                                                                 \
        int handle = REAL(symbol)(path, flags, mode);                                              \
        opened(handle, flags);                                                                     \
        pthread_mutex_unlock(&turn);                                                               \
        return handle;                                                                             \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(symbol)                                                                             \
    int symbol(int start, const char *path, int flags, ...) {                                      \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;                                  \
        va_end(more);                                                                              \
        pthread_mutex_lock(&turn);                                                                 \
        int handle = REAL(symbol)(start, path, flags, mode);                                       \
        opened(handle, flags);                                                                     \
        pthread_mutex_unlock(&turn);                                                               \
        return handle;                                                                             \
    }
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) {
    pthread_mutex_lock(&turn);
    int done = REAL(mkdir)(path, mode);
    const char *name = inside(path);
    if (!done && name && *name)
        note('m', name, 0, 0, "", 0);
    pthread_mutex_unlock(&turn);
    return done;
}

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&turn);
    int done = REAL(rename)(from, to);
    const char *name = inside(from), *target = inside(to);
    if (!done && name && target)
        note('r', name, 0, 0, target, strlen(target));
    pthread_mutex_unlock(&turn);
    return done;
}

int unlink(const char *path) {
    pthread_mutex_lock(&turn);
    int done = REAL(unlink)(path);
    const char *name = inside(path);
    if (!done && name)
        note('u', name, 0, 0, "", 0);
    pthread_mutex_unlock(&turn);
    return done;
}
