// The history tests' schema and data on a rig: people, accounts with money, no chains.
#ifndef CHARLE_TESTS_HISTORY_BANK_H
#define CHARLE_TESTS_HISTORY_BANK_H

#include "fault/rig.h"

enum { BANK_PEOPLE = 10, BANK_ACCOUNTS = 8, BANK_EACH = 1000, BANK_ITEMS_MAX = 4 };

void bank_open(struct rig *rig, uint64_t random, bool is_durable);
// The same with a server that listens on another address than loopback's.
void bank_open_at(struct rig *rig, uint64_t random, bool is_durable, const char *host);
// "p3@history.test"
const char *bank_email(int person, char out[32]);

struct bank_work {
    int from, to; // accounts
    int64_t amount;
    int count;
    int64_t item[BANK_ITEMS_MAX];
    int chain[BANK_ITEMS_MAX];
};
// Makes the call; *out_ticket may be NULL.
int bank_work(struct charle_client *client, const struct bank_work *work, int64_t *out_ticket, struct charle_error *err);

// Compares the replica with the server and wants no difference; shows what was changed by the repair otherwise.
void bank_expect_equal(struct charle_client *client, const char *when);

#endif
