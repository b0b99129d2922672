// Ten client processes on real libcharle, each behind a proxy of its own; a writer who uses plain SQL; and a nemesis that hurts all of them.
//
//   run.c        the order of things: open, run, heal, come to rest, judge
//   client.c     the program of one client: calls and reads at random, each recorded before and after (history.h)
//   writer.c     a thread that writes past the services
//   nemesis.c    what goes wrong, drawn from a seed
//
// Process numbers in the history: clients from 0, the writer CREW_WRITER, the end CREW_END.
#ifndef CHARLE_TESTS_HISTORY_CREW_H
#define CHARLE_TESTS_HISTORY_CREW_H

#include "fault/proxy/proxy.h"
#include "history/bank.h"
#include "history/history.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CREW_CLIENTS = BANK_PEOPLE, CREW_WRITER = 100, CREW_END = 101, CREW_WINDOW = 6, CREW_BACK = 2, CREW_CHAIN_BYTES = 400 };

struct crew_client {
    int number;
    pid_t pid;          // 0: dead
    bool is_stopped;    // SIGSTOP
    int64_t back_at_us; // when it is started again, let go on, or its line is mended; 0: nothing to do
    bool is_cut_off;
    struct proxy *proxy;
    char token[256], name[16], file[160];
};

struct crew {
    struct rig rig;
    struct crew_client clients[CREW_CLIENTS];
    const char *client_program;
    int64_t end_us;
    // writer
    pthread_t writer;
    atomic_bool is_over;
    char writer_file[160];
    // what happened
    int kills, stops, partitions, cuts, server_kills, server_stops, crashes, client_lives;
    long foreign;
};

void crew_start_client(struct crew *crew, struct crew_client *client);
void crew_check_client(struct crew *crew, struct crew_client *client); // ends the test when it ended by itself

// Returns when the time is over and everything is healed.
void nemesis_run(struct crew *crew);

void writer_start(struct crew *crew);
void writer_stop(struct crew *crew);

// A chain's number from its id, and its items from its text: returns how many, at most `max`.
size_t crew_read_items(const char *text, size_t size, uint64_t *out, size_t max);

#endif
