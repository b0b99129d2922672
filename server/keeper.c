#include "server/keeper.h"

#include "base/clock.h"
#include "server/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOOK_MS = 20,       // how often postmaster.pid is looked at while starting
    IDLE_MS = 60000,    // how often the log's size is looked at
    PROGRESS_MS = 5000, // how often a long start or stop is reported
    BACK_OFF_MIN_MS = 100,
    BACK_OFF_MAX_MS = 5000,
    STEADY_MS = 60000,    // it ran this long: the next failure is a new story
    FAST_STOP_MS = 30000, // a fast stop writes a checkpoint; a slow disk needs its time
    IMMEDIATE_STOP_MS = 5000,
    OLD_KEEPER_MS = 40000 // longer than an old keeper needs to stop
};

enum state { CLEANING, STARTING, RUNNING, BACK_OFF, STOPPING, ENDED };

struct keeper {
    struct ch_pgfiles *files;
    int control;
    int signals; // signalfd for SIGCHLD
    enum state state;
    pid_t postmaster; // our child; 0: none
    bool was_ready;   // at least once
    int64_t since_us; // when the state began
    int64_t spoke_us; // of the last progress note
    int64_t ready_us;
    uint32_t back_off_ms;
    off_t log_offset; // where this start's words begin
};

// --- talking -------------------------------------------------------------------------------------------------------

static void send_note(const struct keeper *k, enum ch_note_kind kind, enum charle_err code, uint32_t delay_ms,
                      const char *text)
{
    struct ch_note note = {.kind = kind, .pid = k->postmaster, .delay_ms = delay_ms, .code = (int32_t)code};
    snprintf(note.text, sizeof(note.text), "%s", text);
    // When the server is gone or does not read, nobody is there to be told; its end of the pair says the rest.
    ssize_t sent = send(k->control, &note, sizeof(note), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
}

static void say(void *ctx, const char *text)
{
    send_note(ctx, CH_NOTE_PROGRESS, CHARLE_OK, 0, text);
}

static void say_now_and_then(struct keeper *k, const char *text)
{
    int64_t now = ch_clock_mono_us();
    if (now - k->spoke_us < (int64_t)PROGRESS_MS * 1000 || now - k->since_us < (int64_t)PROGRESS_MS * 1000)
        return;
    k->spoke_us = now;
    say(k, text);
}

static void enter(struct keeper *k, enum state state)
{
    k->state = state;
    k->since_us = ch_clock_mono_us();
    k->spoke_us = k->since_us;
}

static int64_t age_ms(const struct keeper *k)
{
    return (ch_clock_mono_us() - k->since_us) / 1000;
}

// --- before the first start ----------------------------------------------------------------------------------------

static enum charle_err drop_privileges(const struct ch_datadir *dir, struct charle_error *err)
{
    if (geteuid() != 0 || dir->uid == 0)
        return CHARLE_OK;
    if (setgroups(0, NULL) != 0 || setgid(dir->gid) != 0 || setuid(dir->uid) != 0)
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "cannot become PostgreSQL's user (uid %u): %s",
                           (unsigned)dir->uid, strerror(errno));
    return CHARLE_OK;
}

// False when the server has gone away.
static bool server_is_there(const struct keeper *k)
{
    struct pollfd p = {.fd = k->control, .events = POLLIN};
    return poll(&p, 1, 0) <= 0;
}

static void pause_ms(const struct keeper *k, int ms)
{
    struct pollfd p = {.fd = k->control, .events = POLLIN};
    poll(&p, 1, ms);
}

static enum charle_err take_lock(const struct keeper *k, struct charle_error *err)
{
    char path[CH_PGFILES_PATH_SIZE + 16];
    snprintf(path, sizeof(path), "%s/keeper.lock", k->files->root);
    if (mkdir(k->files->root, 0700) != 0 && errno == EACCES)
        return charle_fail(
            err, CHARLE_PERMISSION_DENIED,
            "PostgreSQL runs as another user (uid %u), who cannot get to %.100s: choose a --data-dir that this "
            "user can reach, such as /var/lib/charle",
            (unsigned)geteuid(), k->files->root);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); // held until this process ends
    if (fd < 0)
        return charle_fail_foreign(err, errno == ENOSPC ? CHARLE_DISK_FULL : CHARLE_IO, CHARLE_DOMAIN_POSIX, errno,
                                   "cannot open %.150s: %s", path, strerror(errno));
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (age_ms(k) > OLD_KEEPER_MS || !server_is_there(k))
            return charle_fail(err, CHARLE_BUSY, "the PostgreSQL of an earlier server has not stopped yet: try again");
        pause_ms(k, LOOK_MS);
    }
    return CHARLE_OK;
}

// Ends every process that still has the cluster open: the postmaster of a killed server, or what a killed postmaster
// left. A start beside them would damage the data, so this comes before everything else.
static enum charle_err clean_up(struct keeper *k, struct charle_error *err)
{
    bool is_ready;
    pid_t pid;
    int64_t told_at_ms = -1;
    while ((pid = ch_pgfiles_find_process(k->files)) != 0) {
        int64_t age = age_ms(k);
        if (age > FAST_STOP_MS + 2 * IMMEDIATE_STOP_MS)
            return charle_fail(err, CHARLE_BUSY, "process %ld has %.120s open and does not end: stop it", (long)pid,
                               k->files->data);
        pid_t postmaster = ch_pgfiles_postmaster(k->files, &is_ready);
        bool is_lost =
            !ch_pgfiles_is_used_by(k->files, postmaster); // its backends end by themselves, as a rule at once
        if (told_at_ms < 0)
            say(k, "stopping the PostgreSQL that an earlier server left behind");
        if (told_at_ms < 0 || age - told_at_ms > 1000) {
            if (age > FAST_STOP_MS + IMMEDIATE_STOP_MS)
                kill(pid, SIGKILL);
            else if (age > FAST_STOP_MS || (is_lost && age > IMMEDIATE_STOP_MS))
                kill(pid, SIGQUIT);
            else if (!is_lost && told_at_ms < 0)
                kill(postmaster, SIGINT);
            told_at_ms = age;
        }
        pause_ms(k, LOOK_MS);
    }
    // The number in a left-over postmaster.pid may by now belong to something else, and then PostgreSQL would not
    // start.
    ch_pgfiles_forget_postmaster(k->files);
    return CHARLE_OK;
}

// --- the postmaster ------------------------------------------------------------------------------------------------

static _Noreturn void become_postmaster(const struct ch_pgfiles *files, int log, pid_t keeper)
{
    char program[CH_PGFILES_PATH_SIZE + 16];
    snprintf(program, sizeof(program), "%s/postgres", files->bin);
    char *argv[] = {program, "-D", (char *)files->data, NULL};
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGINT);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (getppid() == keeper && input >= 0 && dup2(input, 0) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2)
        execve(program, argv, ch_child_environment);
    _exit(127);
}

// No signal may come between fork and the child's SIG_DFL: it would be ignored, and the stop forgotten.
static void start_postmaster(struct keeper *k)
{
    sigset_t all, before;
    int log = ch_pgfiles_open_log(k->files);
    k->log_offset = log >= 0 ? lseek(log, 0, SEEK_END) : 0;
    pid_t self = getpid();
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = log >= 0 ? fork() : -1;
    if (pid == 0)
        become_postmaster(k->files, log, self);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (log >= 0)
        close(log);
    k->postmaster = pid > 0 ? pid : 0;
    enter(k, STARTING);
}

static void postmaster_ended(struct keeper *k)
{
    char words[160], text[240];
    k->postmaster = 0;
    if (k->state == STOPPING) {
        enter(k, ENDED);
        return;
    }
    ch_pgfiles_last_words(k->files, k->log_offset, words, sizeof(words));
    if (!k->was_ready) {
        snprintf(text, sizeof(text), "PostgreSQL did not start: %s", words);
        send_note(k, CH_NOTE_FAILED, strstr(words, "No space left") ? CHARLE_DISK_FULL : CHARLE_INTERNAL, 0, text);
        enter(k, ENDED);
        return;
    }
    if (k->state == RUNNING && (ch_clock_mono_us() - k->ready_us) / 1000 > STEADY_MS)
        k->back_off_ms = 0;
    k->back_off_ms = k->back_off_ms ? k->back_off_ms * 2 : BACK_OFF_MIN_MS;
    if (k->back_off_ms > BACK_OFF_MAX_MS)
        k->back_off_ms = BACK_OFF_MAX_MS;
    send_note(k, CH_NOTE_DIED, CHARLE_OK, k->back_off_ms, words);
    enter(k, BACK_OFF);
}

static void look_at_start(struct keeper *k)
{
    bool is_ready;
    say_now_and_then(k, "PostgreSQL is still starting (it may be recovering after a crash)");
    if (ch_pgfiles_postmaster(k->files, &is_ready) != k->postmaster || !is_ready)
        return;
    k->was_ready = true;
    k->ready_us = ch_clock_mono_us();
    enter(k, RUNNING);
    send_note(k, CH_NOTE_READY, CHARLE_OK, 0, "");
}

static void begin_stop(struct keeper *k)
{
    enter(k, k->postmaster ? STOPPING : ENDED);
    if (k->postmaster)
        kill(k->postmaster, SIGINT);
}

static void go_on_stopping(struct keeper *k)
{
    say_now_and_then(k, "PostgreSQL is still stopping");
    if (age_ms(k) > FAST_STOP_MS + IMMEDIATE_STOP_MS)
        kill(k->postmaster, SIGKILL);
    else if (age_ms(k) > FAST_STOP_MS)
        kill(k->postmaster, SIGQUIT);
    else
        kill(k->postmaster, SIGINT); // more than once does no harm
}

// --- the loop ------------------------------------------------------------------------------------------------------

static void reap(struct keeper *k)
{
    struct signalfd_siginfo info;
    while (read(k->signals, &info, sizeof(info)) > 0)
        ;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == k->postmaster)
            postmaster_ended(k);
}

static int wait_ms(const struct keeper *k)
{
    switch (k->state) {
    case CLEANING:
    case ENDED:
        return 0;
    case STARTING:
        return LOOK_MS;
    case RUNNING:
        return IDLE_MS;
    case BACK_OFF: {
        int64_t left = (int64_t)k->back_off_ms - age_ms(k);
        return left > 0 ? (int)left : 0;
    }
    case STOPPING:
        return 200;
    }
    return 0;
}

static void step(struct keeper *k)
{
    bool is_stopping = k->state == STOPPING || k->state == ENDED;
    struct pollfd fds[2] = {{.fd = k->signals, .events = POLLIN},
                            {.fd = is_stopping ? -1 : k->control, .events = POLLIN}};
    int ready = poll(fds, 2, wait_ms(k));
    if (ready > 0 && fds[0].revents)
        reap(k);
    if (ready > 0 && fds[1].revents && k->state != ENDED) {
        begin_stop(k);
        return;
    }
    switch (k->state) {
    case CLEANING:
    case ENDED:
        break;
    case STARTING:
        if (k->postmaster)
            look_at_start(k);
        else
            postmaster_ended(k); // fork failed
        break;
    case RUNNING:
        if (ready == 0) {
            int log = ch_pgfiles_open_log(k->files);
            if (log >= 0)
                close(log);
        }
        break;
    case BACK_OFF:
        if (age_ms(k) >= k->back_off_ms)
            start_postmaster(k);
        break;
    case STOPPING:
        go_on_stopping(k);
        break;
    }
}

static enum charle_err prepare(struct keeper *k, const struct ch_datadir *dir, struct charle_error *err)
{
    enum charle_err rc = drop_privileges(dir, err);
    if (rc == CHARLE_OK)
        rc = take_lock(k, err);
    if (rc == CHARLE_OK && chdir(k->files->root) != 0)
        rc = charle_fail(err, CHARLE_IO, "cannot enter %.150s: %s", k->files->root, strerror(errno));
    enter(k, CLEANING);
    if (rc == CHARLE_OK)
        rc = clean_up(k, err);
    return rc ? rc : ch_pgfiles_prepare(k->files, say, k, err);
}

_Noreturn void ch_keeper_run(struct ch_pgfiles *files, const struct ch_datadir *dir, int control)
{
    struct keeper k = {.files = files, .control = control};
    struct charle_error err = {0};
    setsid(); // so that Ctrl-C in the server's terminal does not reach PostgreSQL before the server has finished
    prctl(PR_SET_NAME, "charled-keeper");
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_SETMASK, &child, NULL);
    enter(&k, CLEANING);
    k.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    enum charle_err rc = prepare(&k, dir, &err);
    if (rc) {
        send_note(&k, CH_NOTE_FAILED, rc, 0, err.text);
        _exit(1);
    }
    if (!server_is_there(&k)) // it went while the cluster was made
        _exit(0);
    start_postmaster(&k);
    while (k.state != ENDED)
        step(&k);
    _exit(0); // no handlers of the server's run here
}
