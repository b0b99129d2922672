// Laptops whose lines break and heal: what the tests of outages share.
//
// In each outage something is written on the server and a call is made on the laptop; after the line has healed the time is taken until the replica
// shows the one and the server has the other. It may never take longer than a bound.
#ifndef CHARLE_TESTS_FAULT_OUTAGE_H
#define CHARLE_TESTS_FAULT_OUTAGE_H

#include "fault/proxy/proxy.h"
#include "fault/rig.h"

#include <pthread.h>
#include <stdatomic.h>

enum { OUTAGE_LAPTOPS = 8, OUTAGE_SAMPLES_MAX = 100000, OUTAGE_WAYS_MAX = 8, OUTAGE_WAIT_MS = 60000 };

struct outages {
    struct rig rig;
    const char *const *ways; // how a line breaks, in words
    int count, least_ms, most_ms;
    uint64_t seed;
    atomic_int next, items;
    pthread_mutex_t mutex; // the samples
    double samples[OUTAGE_SAMPLES_MAX];
    int sample_count;
    double worst_of[OUTAGE_WAYS_MAX];
};

struct laptop {
    pthread_t thread;
    struct outages *all;
    struct proxy *proxy; // NULL: there is none
    struct charle_client *client;
    PGconn *pg;
    struct rig dice;
    char token[256];
    int number, round;
    char name[40];  // of its person, as it was written in the present outage
    int64_t ticket; // of the call made in it
};

// Reads --outages, --ms and --seed; ends the program with how it is used otherwise.
void outages_read(struct outages *all, int argc, char **argv);

// Signs person `number` in at `url` and makes a live replica; with a proxy in between if `with_proxy`.
void laptop_open(struct laptop *laptop, struct outages *all, int number, const char *url, bool with_proxy);
// The replica must become equal to the server.
void laptop_close(struct laptop *laptop);

// Something happens on both sides of the broken line.
void laptop_use_both_ends(struct laptop *laptop);
// Waits until both have arrived and notes the time since the line was healed.
void laptop_await_traffic(struct laptop *laptop, int64_t healed_us, int way, int ms);

int outages_choose_ms(const struct outages *all, struct rig *dice);
void outages_report(struct outages *all);

#endif
