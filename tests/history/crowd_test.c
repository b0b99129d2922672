// Ten laptops come back at the same moment, each with calls that change the same few rows in another order. Their batches cannot all be run at
// once; none may fail for that, and everybody is done soon.
#include "base/err.h"
#include "history/bank.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAPTOPS = BANK_PEOPLE, CALLS = 60, CHAINS = 6, ROUNDS = 3, WAIT_MS = 60000 };

struct laptop {
    pthread_t thread;
    struct charle_client *client;
    char token[256];
    int number;
};

static void must(int rc, const struct charle_error *err, const char *what)
{
    if (rc)
        rig_die("%s: %s", what, err->text);
}

static void open_laptop(struct rig *rig, struct laptop *laptop, int number)
{
    char email[32], name[16];
    struct charle_error err = {0};
    struct charle_login_result result;
    const struct charle_login_options options = {
        .url = rig->address, .email = bank_email(number, email), .principal = "person", .password = rig_password};
    laptop->number = number;
    must(charle_login(&options, &result, &err), &err, "login");
    snprintf(laptop->token, sizeof(laptop->token), "%s", result.token);
    snprintf(name, sizeof(name), "laptop%d", number);
    laptop->client = rig_client(rig, name, laptop->token);
    must(charle_client_sync(laptop->client, WAIT_MS, &err), &err, "first copy");
}

static void work_offline(struct rig *rig, struct laptop *laptop, int round)
{
    struct charle_error err = {0};
    for (int i = 0; i < CALLS; i++) {
        int64_t first = (((int64_t)round * LAPTOPS + laptop->number) * CALLS + i) * BANK_ITEMS_MAX;
        struct bank_work work = {.from = (int)rig_random(rig, BANK_ACCOUNTS), .amount = 1, .count = 3};
        work.to = (work.from + 1 + (int)rig_random(rig, BANK_ACCOUNTS - 1)) % BANK_ACCOUNTS;
        for (int k = 0; k < work.count; k++) {
            work.item[k] = first + k;
            work.chain[k] = round * CHAINS + (int)rig_random(rig, CHAINS);
        }
        must(bank_work(laptop->client, &work, NULL, &err), &err, "a call");
    }
}

static void *sync_laptop(void *ctx)
{
    struct laptop *laptop = ctx;
    struct charle_error err = {0};
    must(charle_client_sync(laptop->client, WAIT_MS, &err), &err, "coming back");
    return NULL;
}

static void expect_no_deadlock(struct rig *rig)
{
    char path[100], line[1000];
    snprintf(path, sizeof(path), "%s/server.log", rig->folder);
    FILE *log = fopen(path, "r");
    while (log && fgets(line, sizeof(line), log))
        if (strstr(line, "code=DEADLOCK"))
            rig_die("a push failed: %s", line);
    if (log)
        fclose(log);
}

int main(void)
{
    static struct rig rig;
    static struct laptop laptops[LAPTOPS];
    bank_open(&rig, 5, false);
    for (int i = 0; i < LAPTOPS; i++)
        open_laptop(&rig, &laptops[i], i);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < LAPTOPS; i++)
            work_offline(&rig, &laptops[i], round);
        for (int i = 0; i < LAPTOPS; i++)
            if (pthread_create(&laptops[i].thread, NULL, sync_laptop, &laptops[i]) != 0)
                rig_die("no thread");
        for (int i = 0; i < LAPTOPS; i++)
            pthread_join(laptops[i].thread, NULL);
    }
    expect_no_deadlock(&rig);
    PGconn *pg = rig_psql(&rig);
    long made = (long)ROUNDS * LAPTOPS * CALLS * 3;
    long all = rig_number(pg, "select count(*) from chain, unnest(string_to_array(items, ' ')) item");
    long different = rig_number(pg, "select count(distinct item) from chain, unnest(string_to_array(items, ' ')) item");
    if (all != made || different != made)
        rig_die("%ld items were appended, the server has %ld, %ld of them different", made, all, different);
    for (int i = 0; i < LAPTOPS; i++) {
        bank_expect_equal(laptops[i].client, "after everybody came back");
        charle_client_close(laptops[i].client);
    }
    printf("%d laptops came back %d times with %d calls each; every call was made once\n", LAPTOPS, ROUNDS, CALLS);
    PQfinish(pg);
    rig_close(&rig);
    return 0;
}
