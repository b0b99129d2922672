#include "client/lock.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static enum charle_err open_beside(const char *file, const char *suffix, char **out_path, int *out_fd,
                                   struct charle_error *err)
{
    size_t size = strlen(file) + strlen(suffix) + 1;
    char *path = ch_alloc(size);
    if (!path)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the path of a lock");
    snprintf(path, size, "%s%s", file, suffix);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        int code = errno;
        enum charle_err rc = code == EACCES || code == EROFS || code == EPERM ? CHARLE_READ_ONLY
                             : code == ENOSPC                                 ? CHARLE_DISK_FULL
                                                                              : CHARLE_IO;
        charle_fail_foreign(err, rc, CHARLE_DOMAIN_POSIX, code,
                            "%s: the lock file cannot be made (%s); check the folder's owner and mode", path, strerror(code));
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

enum charle_err ch_lock_take(struct ch_lock *lock, struct charle_error *err)
{
    pthread_mutex_lock(&lock->mutex);
    if (lock->fd < 0)
        return CHARLE_OK;
    enum charle_err rc = take_file(lock, err);
    if (rc)
        pthread_mutex_unlock(&lock->mutex);
    return rc;
}

void ch_lock_drop(struct ch_lock *lock)
{
    if (lock->fd >= 0)
        flock(lock->fd, LOCK_UN);
    pthread_mutex_unlock(&lock->mutex);
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
