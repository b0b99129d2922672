#include "server/pghome.h"

#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// May the user pass through this folder? By its mode alone: where an access list says yes and the mode no, the fallback is used,
// which is as good.
static bool may_enter(const struct stat *st, const struct ch_datadir *dir)
{
    if (st->st_uid == dir->uid)
        return (st->st_mode & S_IXUSR) != 0;
    if (st->st_gid == dir->gid)
        return (st->st_mode & S_IXGRP) != 0;
    return (st->st_mode & S_IXOTH) != 0;
}

// Every folder on the way to an absolute path without links, and the last one.
static bool is_reachable(const char *path, const struct ch_datadir *dir)
{
    if (geteuid() == dir->uid)
        return true;
    char part[PATH_MAX];
    struct stat st;
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = part; (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        if (stat(part, &st) != 0 || !may_enter(&st, dir))
            return false;
    }
    return stat(part, &st) == 0 && may_enter(&st, dir);
}

static enum charle_err fail_path(struct charle_error *err, const char *what, const char *path)
{
    int number = errno;
    return charle_fail_foreign(err, number == ENOSPC ? CHARLE_DISK_FULL : CHARLE_IO, CHARLE_DOMAIN_POSIX, number,
                               "%s %.150s: %s", what, path, strerror(number));
}

static enum charle_err make_fallback(const struct ch_datadir *dir, const char *link_path, char *out, size_t out_size,
                                     struct charle_error *err)
{
    char fresh[] = CH_PGHOME_FALLBACK "/cluster-XXXXXX";
    if (mkdir(CH_PGHOME_FALLBACK, 0755) == 0) {
        if (chmod(CH_PGHOME_FALLBACK, 0755) != 0) // the umask may have taken away what others need to pass through
            return fail_path(err, "cannot open up", CH_PGHOME_FALLBACK);
    } else if (errno != EEXIST) {
        return fail_path(err, "cannot make", CH_PGHOME_FALLBACK);
    }
    if (!is_reachable(CH_PGHOME_FALLBACK, dir))
        return charle_fail(err, CHARLE_PERMISSION_DENIED,
                           "PostgreSQL runs as another user (uid %u), who can enter neither %.100s nor " CH_PGHOME_FALLBACK
                           ": choose a --data-dir that this user can reach",
                           (unsigned)dir->uid, dir->path);
    if (!mkdtemp(fresh))
        return fail_path(err, "cannot make", fresh);
    enum charle_err rc = CHARLE_OK;
    if (chown(fresh, dir->uid, dir->gid) != 0)
        rc = fail_path(err, "cannot give away", fresh);
    else if (symlink(fresh, link_path) != 0)
        rc = fail_path(err, "cannot link", link_path);
    if (rc) {
        rmdir(fresh);
        return rc;
    }
    ch_log(CH_LOG_INFO, "cluster", "PostgreSQL's user cannot enter %.120s: its files are in %s, linked from there",
           dir->path, fresh);
    snprintf(out, out_size, "%s", fresh);
    return CHARLE_OK;
}

static enum charle_err use_present(const struct ch_datadir *dir, const char *path, char *out, size_t out_size,
                                   struct charle_error *err)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return charle_fail(err, CHARLE_PERMISSION_DENIED,
                           "%.100s cannot be followed (%s): put back what it leads to, or remove it to begin with an empty database",
                           path, strerror(errno));
    if (!is_reachable(real, dir))
        return charle_fail(err, CHARLE_PERMISSION_DENIED,
                           "PostgreSQL runs as another user (uid %u), who cannot get to %.100s: let this user pass through "
                           "the folders above it, or move the data folder to where it can, such as /var/lib/charle",
                           (unsigned)dir->uid, real);
    if ((size_t)snprintf(out, out_size, "%s", real) >= out_size)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the data folder's path is too long for PostgreSQL");
    return CHARLE_OK;
}

enum charle_err ch_pghome_find(const struct ch_datadir *dir, char *out, size_t out_size, struct charle_error *err)
{
    char folder[PATH_MAX], path[PATH_MAX + 16];
    struct stat st;
    if (!realpath(dir->path, folder))
        return fail_path(err, "cannot look at the data folder", dir->path);
    snprintf(path, sizeof(path), "%s/postgres", folder);
    if (lstat(path, &st) == 0)
        return use_present(dir, path, out, out_size, err);
    if (errno != ENOENT)
        return fail_path(err, "cannot look at", path);
    if (!is_reachable(folder, dir))
        return make_fallback(dir, path, out, out_size, err);
    if ((size_t)snprintf(out, out_size, "%s", path) >= out_size)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the data folder's path is too long for PostgreSQL");
    return CHARLE_OK;
}
