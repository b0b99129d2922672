#include "support/scratch.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// The shell waits for the end of its input, whose other end only this process and its forks hold. A group of its own keeps it from the
// signals of a terminal.
static bool start_sweeper(const char *folder)
{
    char *argv[] = {"sh", "-c", "read -r none; exec rm -rf -- \"$0\"", (char *)(size_t)folder, NULL};
    char *environment[] = {"PATH=/usr/bin:/bin", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    bool ok = posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO) == 0 &&
              posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
              posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
              posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP) == 0 &&
              posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, environment) == 0;
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[0]);
    if (!ok)
        close(ends[1]);
    return ok; // ends[1] stays open until the process ends
}

bool ch_scratch_folder(const char *name, char *out, size_t size)
{
    int len = snprintf(out, size, "/tmp/charle-%s-XXXXXX", name);
    if (len < 0 || (size_t)len >= size || !mkdtemp(out))
        return false;
    if (start_sweeper(out))
        return true;
    rmdir(out);
    return false;
}
