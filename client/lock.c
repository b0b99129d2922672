#include "client/lock.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char *path_beside(const char *file, const char *suffix)
{
    size_t size = strlen(file) + strlen(suffix) + 1;
    char *path = ch_alloc(size);
    if (path)
        snprintf(path, size, "%s%s", file, suffix);
    return path;
}

static enum charle_err fail_open(const char *path, int code, struct charle_error *err)
{
    enum charle_err rc = code == EACCES || code == EROFS || code == EPERM ? CHARLE_READ_ONLY
                         : code == ENOSPC                                 ? CHARLE_DISK_FULL
                                                                          : CHARLE_IO;
    return charle_fail_foreign(err, rc, CHARLE_DOMAIN_POSIX, code,
                               "%s: the lock file cannot be made (%s); check the folder's owner and mode", path, strerror(code));
}

static enum charle_err open_beside(const char *file, const char *suffix, char **out_path, int *out_fd,
                                   struct charle_error *err)
{
    char *path = path_beside(file, suffix);
    if (!path)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the path of a lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        enum charle_err rc = fail_open(path, errno, err);
        ch_free(path);
        return rc;
    }
    *out_path = path;
    *out_fd = fd;
    return CHARLE_OK;
}

enum charle_err ch_lock_open(struct ch_lock *lock, const char *file, uint32_t timeout_ms, struct charle_error *err)
{
    *lock = (struct ch_lock){.fd = -1, .timeout_ms = timeout_ms};
    pthread_mutex_init(&lock->mutex, NULL);
    return file ? open_beside(file, ".lock", &lock->path, &lock->fd, err) : CHARLE_OK;
}

void ch_lock_close(struct ch_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    ch_free(lock->path);
    pthread_mutex_destroy(&lock->mutex);
    *lock = (struct ch_lock){.fd = -1};
}

// flock has no time limit of its own. Transactions are short, so the wait begins with short naps and grows to 10 ms.
static enum charle_err take_file(struct ch_lock *lock, struct charle_error *err)
{
    int64_t deadline = ch_clock_mono_us() + (int64_t)lock->timeout_ms * 1000;
    for (long nap_ns = 50000;; nap_ns = nap_ns < 10000000 ? nap_ns * 2 : 10000000) {
        if (flock(lock->fd, LOCK_EX | LOCK_NB) == 0)
            return CHARLE_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, errno, "%s: cannot be locked: %s", lock->path,
                                       strerror(errno));
        if (ch_clock_mono_us() >= deadline)
            return charle_fail(err, CHARLE_BUSY, "%s: another program has been writing to the replica for %u ms; try again later",
                               lock->path, lock->timeout_ms);
        nanosleep(&(struct timespec){.tv_nsec = nap_ns}, NULL);
    }
}

// Whoever wipes a replica or puts another file in its place removes the lock file: what is open here is then nobody's replica.
static enum charle_err check_not_removed(const struct ch_lock *lock, struct charle_error *err)
{
    struct stat info;
    if (fstat(lock->fd, &info) != 0 || info.st_nlink > 0)
        return CHARLE_OK;
    return charle_fail(err, CHARLE_CLOSED, "%s was removed while the replica was open: it was wiped or replaced; close it and open it again",
                       lock->path);
}

void ch_lock_enter(struct ch_lock *lock)
{
    if (pthread_mutex_trylock(&lock->mutex) == 0)
        return;
    atomic_fetch_add(&lock->waiting, 1);
    if (lock->wanted)
        lock->wanted(lock->wanted_ctx);
    pthread_mutex_lock(&lock->mutex);
    atomic_fetch_sub(&lock->waiting, 1);
}

void ch_lock_leave(struct ch_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

enum charle_err ch_lock_take(struct ch_lock *lock, struct charle_error *err)
{
    ch_lock_enter(lock);
    if (lock->fd < 0)
        return CHARLE_OK;
    enum charle_err rc = take_file(lock, err);
    if (!rc) {
        rc = check_not_removed(lock, err);
        if (rc)
            flock(lock->fd, LOCK_UN);
    }
    if (rc)
        ch_lock_leave(lock);
    return rc;
}

void ch_lock_drop(struct ch_lock *lock)
{
    if (lock->fd >= 0)
        flock(lock->fd, LOCK_UN);
    ch_lock_leave(lock);
}

// --- presence ---------------------------------------------------------------------------------------------------------

// A record lock of the open file, not of the process: it is apart from the whole-file lock on the same file, two handles of one program
// count as two, and it goes with the descriptor.
enum charle_err ch_presence_take(const char *file, bool is_alone, int *out_fd, struct charle_error *err)
{
    struct flock lock = {.l_type = is_alone ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    char *path = path_beside(file, ".lock");
    *out_fd = -1;
    if (!path)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the path of a lock");
    int fd = open(path, is_alone ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
    enum charle_err rc = CHARLE_OK;
    if (fd < 0) {
        rc = is_alone ? fail_open(path, errno, err) : CHARLE_OK;
    } else if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
        *out_fd = fd;
    } else {
        rc = errno == EAGAIN || errno == EACCES
                 ? charle_fail(err, CHARLE_BUSY, is_alone ? "%s: a program has the replica open; close it first"
                                                          : "%s: the replica is being written anew; try again in a moment", file)
                 : charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, errno, "%s: cannot be locked: %s", path, strerror(errno));
        close(fd);
    }
    ch_free(path);
    return rc;
}

void ch_presence_drop(int fd)
{
    if (fd >= 0)
        close(fd);
}

// --- the lead ---------------------------------------------------------------------------------------------------------

enum charle_err ch_lead_open(struct ch_lead *lead, const char *file, struct charle_error *err)
{
    *lead = (struct ch_lead){.fd = -1};
    return open_beside(file, ".sync", &lead->path, &lead->fd, err);
}

bool ch_lead_take(struct ch_lead *lead)
{
    if (!lead->is_held)
        lead->is_held = lead->fd >= 0 && flock(lead->fd, LOCK_EX | LOCK_NB) == 0;
    return lead->is_held;
}

void ch_lead_drop(struct ch_lead *lead)
{
    if (lead->is_held)
        flock(lead->fd, LOCK_UN);
    lead->is_held = false;
}

void ch_lead_close(struct ch_lead *lead)
{
    if (lead->fd >= 0)
        close(lead->fd);
    ch_free(lead->path);
    *lead = (struct ch_lead){.fd = -1};
}
