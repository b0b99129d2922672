#include "fault/proxy/outage.h"

#include "base/clock.h"
#include "base/err.h"
#include "db/db.h"
#include "history/bank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOUND_MS = 30000 };

static void must(int rc, const struct charle_error *err, const char *what)
{
    if (rc)
        rig_die("%s: %s", what, err->text);
}

void laptop_open(struct laptop *laptop, struct outages *all, int number, const char *url, bool with_proxy)
{
    char email[32], name[16];
    struct charle_error err = {0};
    struct charle_login_result result;
    const struct proxy_options options = {.listen = "tcp://127.0.0.1:0", .target = url, .seed = all->seed};
    const struct charle_login_options login = {.url = url, .email = bank_email(number, email), .principal = "person", .password = rig_password};
    *laptop = (struct laptop){.all = all, .number = number, .dice = {.random = all->seed + (uint64_t)number}};
    if (with_proxy)
        must(proxy_open(&options, &laptop->proxy, &err), &err, "proxy");
    must(charle_login(&login, &result, &err), &err, "login");
    snprintf(laptop->token, sizeof(laptop->token), "%s", result.token);
    snprintf(name, sizeof(name), "laptop%d", number);
    laptop->pg = rig_psql(&all->rig);
    laptop->client = rig_client_at(&all->rig, with_proxy ? proxy_address(laptop->proxy) : url, name, laptop->token);
    must(charle_client_start(laptop->client, &err), &err, "start");
    must(charle_client_sync(laptop->client, OUTAGE_WAIT_MS, &err), &err, "first copy");
}

void laptop_close(struct laptop *laptop)
{
    struct charle_error err = {0};
    must(charle_client_sync(laptop->client, OUTAGE_WAIT_MS, &err), &err, "the last synchronisation");
    bank_expect_equal(laptop->client, "after all outages");
    charle_client_close(laptop->client);
    if (laptop->proxy)
        proxy_close(laptop->proxy);
    PQfinish(laptop->pg);
}

// What the replica shows of this laptop's person.
static bool shows(struct laptop *laptop, const char *name)
{
    struct charle_error err;
    struct charle_rows *rows = NULL;
    char sql[100];
    snprintf(sql, sizeof(sql), "select 1 from person where id = 'p%d' and name = $1", laptop->number);
    const struct charle_value param = charle_text(charle_str(name));
    must(charle_query(charle_client_db(laptop->client), sql, &param, 1, &rows, &err), &err, "a query");
    bool found = charle_rows_next(rows, &err) == CHARLE_OK;
    charle_rows_close(rows);
    return found;
}

static bool is_confirmed(struct laptop *laptop, int64_t ticket)
{
    struct charle_error err;
    struct charle_client_outcome outcome;
    return charle_client_wait(laptop->client, ticket, 0, &outcome, &err) == CHARLE_OK && outcome.is_confirmed;
}

static void note(struct outages *all, int way, double seconds)
{
    pthread_mutex_lock(&all->mutex);
    if (all->sample_count < OUTAGE_SAMPLES_MAX)
        all->samples[all->sample_count++] = seconds;
    if (seconds > all->worst_of[way])
        all->worst_of[way] = seconds;
    if (all->sample_count % 50 == 0) {
        printf("%d outages\n", all->sample_count);
        fflush(stdout);
    }
    pthread_mutex_unlock(&all->mutex);
}

void laptop_use_both_ends(struct laptop *laptop)
{
    char sql[160];
    struct charle_error err = {0};
    int item = atomic_fetch_add(&laptop->all->items, 1);
    const struct bank_work work = {.from = laptop->number, .to = (laptop->number + 1) % BANK_ACCOUNTS, .count = 1, .item = {item}, .chain = {laptop->number}};
    snprintf(laptop->name, sizeof(laptop->name), "Outage %d", ++laptop->round);
    snprintf(sql, sizeof(sql), "update person set name = '%s' where id = 'p%d'", laptop->name, laptop->number);
    rig_sql(laptop->pg, sql);
    must(bank_work(laptop->client, &work, &laptop->ticket, &err), &err, "a call");
}

void laptop_await_traffic(struct laptop *laptop, int64_t healed_us, int way, int ms)
{
    while (!shows(laptop, laptop->name) || !is_confirmed(laptop, laptop->ticket)) {
        struct charle_client_status status;
        charle_client_status(laptop->client, &status);
        if (ch_clock_mono_us() - healed_us > BOUND_MS * 1000LL)
            rig_die("no traffic %d s after an outage of %d ms by \"%s\" was healed: the client is %s: %s", BOUND_MS / 1000, ms, laptop->all->ways[way],
                    charle_client_state_name(status.state), status.problem);
        rig_pause(5);
    }
    note(laptop->all, way, (double)(ch_clock_mono_us() - healed_us) / 1e6);
}

int outages_choose_ms(const struct outages *all, struct rig *dice)
{
    return all->least_ms + (int)rig_random(dice, (uint64_t)(all->most_ms - all->least_ms + 1));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const struct outages *all, int percent)
{
    return all->samples[(all->sample_count - 1) * percent / 100];
}

void outages_report(struct outages *all)
{
    qsort(all->samples, (size_t)all->sample_count, sizeof(double), by_value);
    printf("%d outages of %d to %d ms; traffic back after the line was healed: p50 %.2f s, p90 %.2f s, p99 %.2f s, longest %.2f s\n", all->sample_count,
           all->least_ms, all->most_ms, percentile(all, 50), percentile(all, 90), percentile(all, 99), percentile(all, 100));
    for (int way = 0; way < OUTAGE_WAYS_MAX; way++)
        if (all->worst_of[way] > 0)
            printf("  %s: longest %.2f s\n", all->ways[way], all->worst_of[way]);
    fflush(stdout);
}


void outages_read(struct outages *all, int argc, char **argv)
{
    *all = (struct outages){.count = 40, .least_ms = 100, .most_ms = 3000, .seed = 1, .mutex = PTHREAD_MUTEX_INITIALIZER};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--outages") == 0)
            all->count = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            all->seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--ms") == 0 && i + 2 < argc) {
            all->least_ms = (int)strtol(argv[i + 1], NULL, 10);
            all->most_ms = (int)strtol(argv[++i + 1], NULL, 10);
        } else {
            all->count = 0;
        }
    }
    if (all->count < 1 || all->count > OUTAGE_SAMPLES_MAX || all->least_ms < 0 || all->most_ms < all->least_ms)
        rig_die("usage: %s [--outages N] [--ms LEAST MOST] [--seed N]", argv[0]);
}
