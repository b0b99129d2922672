// Outages: the line of a live client breaks for a while, in one of several ways, and comes back. How long until traffic is back?
//
//   outage_test [--outages N] [--ms LEAST MOST] [--seed N] [--dark]
//
// Several laptops have outages of their own side by side. In each outage something is written on the server and a call is made here; after the line
// has healed the time is taken until the replica shows the one and the server has the other. It may never take longer than the bound; the percentiles
// are printed. In the test the outages are short, the soak runs 0.5 to 20 s.
//
// --dark: no proxy. The kernel throws away every packet of a network of the test's own and no program is told; it happens where the sending TCP sees it, so
// that it tries again sooner than after a loss on the way. All laptops are in the dark at the same time. Needs the right to make such a network
// (root); without it the test is skipped (77).
#include "base/clock.h"
#include "base/err.h"
#include "db/db.h"
#include "fault/proxy/proxy.h"
#include "history/bank.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAPTOPS = 8, OUTAGES = 40, WAIT_MS = 60000, BOUND_MS = 30000, SAMPLES_MAX = 100000, WAYS = 7, DARK = 6, SKIPPED = 77 };

// How a line breaks. A black hole says nothing to anybody; the others are noticed at once by one side or by both.
static const char *const ways[WAYS] = {"blackhole on", "stall up -1", "stall down -1", "refuse on", "half-close down", "reset", "dark"};

struct outages {
    struct rig rig;
    int count, least_ms, most_ms;
    bool is_dark;
    atomic_int next, items;
    pthread_mutex_t mutex; // the samples
    double samples[SAMPLES_MAX];
    int sample_count;
    double worst_of[WAYS];
};

struct laptop {
    pthread_t thread;
    struct outages *all;
    struct proxy *proxy;
    struct charle_client *client;
    PGconn *pg;
    struct rig dice;
    char token[256];
    int number, round;
    char name[40];  // of its person, as it was written in the present outage
    int64_t ticket; // of the call made in it
};

static void must(int rc, const struct charle_error *err, const char *what)
{
    if (rc)
        rig_die("%s: %s", what, err->text);
}

static void open_laptop(struct outages *all, struct laptop *laptop, int number, uint64_t seed)
{
    char email[32], name[16];
    struct charle_error err = {0};
    struct charle_login_result result;
    const struct proxy_options options = {.listen = "tcp://127.0.0.1:0", .target = all->rig.address, .seed = seed};
    const struct charle_login_options login = {
        .url = all->rig.address, .email = bank_email(number, email), .principal = "person", .password = rig_password};
    *laptop = (struct laptop){.all = all, .number = number, .dice = {.random = seed + (uint64_t)number}};
    must(proxy_open(&options, &laptop->proxy, &err), &err, "proxy");
    must(charle_login(&login, &result, &err), &err, "login");
    snprintf(laptop->token, sizeof(laptop->token), "%s", result.token);
    snprintf(name, sizeof(name), "laptop%d", number);
    laptop->pg = rig_psql(&all->rig);
    laptop->client = rig_client_at(&all->rig, all->is_dark ? all->rig.address : proxy_address(laptop->proxy), name, laptop->token);
    must(charle_client_start(laptop->client, &err), &err, "start");
    must(charle_client_sync(laptop->client, WAIT_MS, &err), &err, "first copy");
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

static void break_line(struct laptop *laptop, int way)
{
    proxy_do(laptop->proxy, "%s", ways[way]);
    if (way == 3)
        proxy_do(laptop->proxy, "close");
    else if (way == 5)
        proxy_do(laptop->proxy, "refuse on");
}

static void note(struct outages *all, int way, double seconds)
{
    pthread_mutex_lock(&all->mutex);
    if (all->sample_count < SAMPLES_MAX)
        all->samples[all->sample_count++] = seconds;
    if (seconds > all->worst_of[way])
        all->worst_of[way] = seconds;
    if (all->sample_count % 50 == 0) {
        printf("%d outages\n", all->sample_count);
        fflush(stdout);
    }
    pthread_mutex_unlock(&all->mutex);
}

// Something happens on both sides of the broken line.
static void use_both_ends(struct laptop *laptop)
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

static void await_traffic(struct laptop *laptop, int64_t healed_us, int way, int ms)
{
    while (!shows(laptop, laptop->name) || !is_confirmed(laptop, laptop->ticket)) {
        struct charle_client_status status;
        charle_client_status(laptop->client, &status);
        if (ch_clock_mono_us() - healed_us > BOUND_MS * 1000LL)
            rig_die("no traffic %d s after an outage of %d ms by \"%s\" was healed: the client is %s: %s", BOUND_MS / 1000, ms, ways[way],
                    charle_client_state_name(status.state), status.problem);
        rig_pause(5);
    }
    note(laptop->all, way, (double)(ch_clock_mono_us() - healed_us) / 1e6);
}

static int choose_ms(struct outages *all, struct rig *dice)
{
    return all->least_ms + (int)rig_random(dice, (uint64_t)(all->most_ms - all->least_ms + 1));
}

static void one_outage(struct laptop *laptop)
{
    int way = (int)rig_random(&laptop->dice, DARK), ms = choose_ms(laptop->all, &laptop->dice);
    break_line(laptop, way);
    rig_pause(ms / 2);
    use_both_ends(laptop);
    rig_pause(ms - ms / 2);
    proxy_do(laptop->proxy, "heal");
    await_traffic(laptop, ch_clock_mono_us(), way, ms);
    rig_pause((int)rig_random(&laptop->dice, 1500)); // some connections are young when they break, others are not
}

// --- in the dark ------------------------------------------------------------------------------------------------------------------

static void must_run(const char *command)
{
    if (system(command) != 0)
        rig_die("%s failed", command);
}

// A network of our own, with nothing but a loopback that can be made to lose everything.
static bool enter_network(void)
{
    return unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0 && system("tc qdisc show dev lo >/dev/null") == 0;
}

struct await {
    pthread_t thread;
    struct laptop *laptop;
    int64_t healed_us;
    int ms;
};

static void *await_one(void *ctx)
{
    struct await *await = ctx;
    await_traffic(await->laptop, await->healed_us, DARK, await->ms);
    return NULL;
}

static void run_dark(struct outages *all, struct laptop *laptops)
{
    struct await awaits[LAPTOPS];
    for (int done = 0; done < all->count; done += LAPTOPS) {
        int ms = choose_ms(all, &all->rig);
        must_run("tc qdisc replace dev lo root tbf rate 8bit burst 10b limit 10b"); // no packet is that small
        rig_pause(ms / 2);
        for (int i = 0; i < LAPTOPS; i++)
            use_both_ends(&laptops[i]);
        rig_pause(ms - ms / 2);
        must_run("tc qdisc del dev lo root");
        for (int i = 0; i < LAPTOPS; i++) {
            awaits[i] = (struct await){.laptop = &laptops[i], .healed_us = ch_clock_mono_us(), .ms = ms};
            if (pthread_create(&awaits[i].thread, NULL, await_one, &awaits[i]) != 0)
                rig_die("no thread");
        }
        for (int i = 0; i < LAPTOPS; i++)
            pthread_join(awaits[i].thread, NULL);
        rig_pause((int)rig_random(&all->rig, 1500));
    }
}

static void *run(void *ctx)
{
    struct laptop *laptop = ctx;
    while (atomic_fetch_add(&laptop->all->next, 1) < laptop->all->count)
        one_outage(laptop);
    return NULL;
}

static void run_side_by_side(struct laptop *laptops)
{
    for (int i = 0; i < LAPTOPS; i++)
        if (pthread_create(&laptops[i].thread, NULL, run, &laptops[i]) != 0)
            rig_die("no thread");
    for (int i = 0; i < LAPTOPS; i++)
        pthread_join(laptops[i].thread, NULL);
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

static void report(struct outages *all)
{
    qsort(all->samples, (size_t)all->sample_count, sizeof(double), by_value);
    printf("%d outages of %d to %d ms; traffic back after the line was healed: p50 %.2f s, p90 %.2f s, p99 %.2f s, longest %.2f s\n", all->sample_count,
           all->least_ms, all->most_ms, percentile(all, 50), percentile(all, 90), percentile(all, 99), percentile(all, 100));
    for (int way = 0; way < WAYS; way++)
        if (all->worst_of[way] > 0)
            printf("  %s: longest %.2f s\n", ways[way], all->worst_of[way]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct outages all = {.count = OUTAGES, .least_ms = 100, .most_ms = 3000, .mutex = PTHREAD_MUTEX_INITIALIZER};
    static struct laptop laptops[LAPTOPS];
    uint64_t seed = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--dark") == 0)
            all.is_dark = true;
        else if (i + 1 < argc && strcmp(argv[i], "--outages") == 0)
            all.count = (int)strtol(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--ms") == 0 && i + 2 < argc) {
            all.least_ms = (int)strtol(argv[++i], NULL, 10);
            all.most_ms = (int)strtol(argv[++i], NULL, 10);
        }
    }
    if (all.count < 1 || all.count > SAMPLES_MAX || all.least_ms < 0 || all.most_ms < all.least_ms)
        rig_die("usage: outage_test [--outages N] [--ms LEAST MOST] [--seed N] [--dark]");
    if (all.is_dark && !enter_network()) {
        printf("skipped: a network of the test's own cannot be made here (root, ip and tc are needed)\n");
        return SKIPPED;
    }
    bank_open(&all.rig, seed, false);
    for (int i = 0; i < LAPTOPS; i++)
        open_laptop(&all, &laptops[i], i, seed);
    if (all.is_dark)
        run_dark(&all, laptops);
    else
        run_side_by_side(laptops);
    report(&all);
    for (int i = 0; i < LAPTOPS; i++) {
        struct charle_error err = {0};
        must(charle_client_sync(laptops[i].client, WAIT_MS, &err), &err, "the last synchronisation");
        bank_expect_equal(laptops[i].client, "after all outages");
        charle_client_close(laptops[i].client);
        proxy_close(laptops[i].proxy);
        PQfinish(laptops[i].pg);
    }
    rig_close(&all.rig);
    return 0;
}
