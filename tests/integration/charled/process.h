// The real charled as a child of the test: started, watched through its log, signalled, waited for.
//
// Every server gets a port of its own and a log file in its folder. A server that does not do what is waited for within
// a minute fails the test with its log. Servers that a failed test leaves behind get SIGKILL at exit; their PostgreSQL
// then stops by itself.
#ifndef CHARLE_TESTS_CHARLED_PROCESS_H
#define CHARLE_TESTS_CHARLED_PROCESS_H

#include "test.h"

#include <stdbool.h>
#include <sys/types.h>

struct server {
    char folder[80]; // the data folder; the log is <folder>.log
    char log[100];
    char address[120]; // where it listens; set by server_wait_ready
    pid_t pid;         // 0: not running
    long log_offset;   // where this run's lines begin
};

// A fresh folder name below a fresh folder in /tmp or /dev/shm; nothing is started.
void server_init(struct server *server);
// Starts charled with --data-dir, --listen tcp://127.0.0.1:0 unless the arguments have a --listen, and these arguments
// (NULL-terminated; NULL: none). `database_url` NULL: a private cluster.
void server_start(struct server *server, const char *database_url, const char *const *arguments);
void server_wait_ready(struct server *server);
bool server_has_said(const struct server *server, const char *words); // in this run
void server_wait_words(const struct server *server, const char *words);
void server_signal(const struct server *server, int number);
int server_wait_exit(struct server *server); // the exit code; 128 + the signal when it was killed
int server_stop(struct server *server);      // SIGTERM and wait
void server_remove(struct server *server);   // stops it and deletes the folder

// Runs charled to its end and returns the exit code; its output and errors go to `out`.
int charled_run(const char *const *arguments, const char *database_url, char *out, size_t out_size);

// Runs statements on a database; fails the test when one fails.
void run_sql(const char *url, const char *sql);
// The only value of a query, as text.
void read_sql(const char *url, const char *sql, char *out, size_t out_size);
void server_private_url(const struct server *server, char *out, size_t out_size); // of its private cluster

#endif
