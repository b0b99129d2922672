// Outages: the line of a live client breaks for a while, in one of several ways, and comes back. How long until traffic is back?
//
//   outage_test [--outages N] [--ms LEAST MOST] [--seed N]
//
// Several laptops have outages of their own side by side, each behind a proxy of its own. The percentiles are printed. In the test the outages are
// short, the soak runs 0.5 to 20 s.
#include "fault/proxy/outage.h"

#include "base/clock.h"
#include "history/bank.h"

enum { WAYS = 6 };

// How a line breaks. A black hole says nothing to anybody; the others are noticed at once by one side or by both.
static const char *const ways[OUTAGE_WAYS_MAX] = {"blackhole on", "stall up -1", "stall down -1", "refuse on", "half-close down", "reset"};

static void break_line(struct laptop *laptop, int way)
{
    proxy_do(laptop->proxy, "%s", ways[way]);
    if (way == 3)
        proxy_do(laptop->proxy, "close");
    else if (way == 5)
        proxy_do(laptop->proxy, "refuse on");
}

static void one_outage(struct laptop *laptop)
{
    int way = (int)rig_random(&laptop->dice, WAYS), ms = outages_choose_ms(laptop->all, &laptop->dice);
    break_line(laptop, way);
    rig_pause(ms / 2);
    laptop_use_both_ends(laptop);
    rig_pause(ms - ms / 2);
    proxy_do(laptop->proxy, "heal");
    laptop_await_traffic(laptop, ch_clock_mono_us(), way, ms);
    rig_pause((int)rig_random(&laptop->dice, 1500)); // some connections are young when they break, others are not
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
    for (int i = 0; i < OUTAGE_LAPTOPS; i++)
        if (pthread_create(&laptops[i].thread, NULL, run, &laptops[i]) != 0)
            rig_die("no thread");
    for (int i = 0; i < OUTAGE_LAPTOPS; i++)
        pthread_join(laptops[i].thread, NULL);
}

int main(int argc, char **argv)
{
    static struct outages all;
    static struct laptop laptops[OUTAGE_LAPTOPS];
    outages_read(&all, argc, argv);
    all.ways = ways;
    bank_open(&all.rig, all.seed, false);
    for (int i = 0; i < OUTAGE_LAPTOPS; i++)
        laptop_open(&laptops[i], &all, i, all.rig.address, true);
    run_side_by_side(laptops);
    outages_report(&all);
    for (int i = 0; i < OUTAGE_LAPTOPS; i++)
        laptop_close(&laptops[i]);
    rig_close(&all.rig);
    return 0;
}
