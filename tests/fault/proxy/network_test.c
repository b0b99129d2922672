// Outages of a real network: the server in one network namespace, the laptops in another, a pair of virtual cables between them.
//
//   network_test [--outages N] [--ms LEAST MOST] [--seed N]
//
// Packets vanish on the receiver's side, so that the sender's TCP learns of it only by waiting, and waits longer and longer: in one direction, in both, or one
// in five; or the cable is pulled. All laptops share the cable. Needs root, ip and nft; without them the test is skipped (77).
#include "fault/proxy/outage.h"

#include "base/clock.h"
#include "history/bank.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { SKIPPED = 77, WAYS = 5 };

static const char server_host[] = "10.77.0.1";
static const char *const ways[OUTAGE_WAYS_MAX] = {"nothing passes", "nothing reaches the server", "nothing reaches the laptops", "the cable is pulled",
                                                  "one packet in five is lost"};

// Runs a command here or, with `is_there`, in the server's network.
static bool run(const struct rig *rig, bool is_there, const char *command)
{
    char line[400], prefix[60] = "";
    if (is_there)
        snprintf(prefix, sizeof(prefix), "nsenter --net=/proc/%d/ns/net ", (int)rig->charled);
    snprintf(line, sizeof(line), "%s%s", prefix, command);
    return system(line) == 0;
}

static void must_run(const struct rig *rig, bool is_there, const char *command)
{
    if (!run(rig, is_there, command))
        rig_die("%s failed %s", command, is_there ? "in the server's network" : "in the laptops' network");
}

static bool enter_network(void)
{
    return system("command -v nft >/dev/null && command -v nsenter >/dev/null") == 0 && unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0;
}

// The server stays in the network it was started in; this program, and the laptops in it, go to another one.
static void leave_server(const struct rig *rig)
{
    char command[160];
    if (!enter_network())
        rig_die("no second network");
    snprintf(command, sizeof(command), "ip link add laptops type veth peer name server netns %d", (int)rig->charled);
    must_run(rig, false, command);
    must_run(rig, false, "ip addr add 10.77.0.2/24 dev laptops");
    must_run(rig, false, "ip link set laptops up");
    must_run(rig, true, "ip addr add 10.77.0.1/24 dev server");
    must_run(rig, true, "ip link set server up");
}

// Throws away packets that come in over the cable: all, or one in five.
static void lose(const struct rig *rig, bool is_there, bool is_all)
{
    char rule[160];
    must_run(rig, is_there, "nft add table inet outage");
    must_run(rig, is_there, "nft add chain inet outage in \"{ type filter hook input priority 0 ; }\"");
    snprintf(rule, sizeof(rule), "nft add rule inet outage in iifname %s %s drop", is_there ? "server" : "laptops",
             is_all ? "" : "numgen random mod 5 == 0");
    must_run(rig, is_there, rule);
}

static void break_cable(const struct rig *rig, int way)
{
    if (way == 3)
        must_run(rig, true, "ip link set server down");
    if (way == 0 || way == 1 || way == 4)
        lose(rig, true, way != 4);
    if (way == 0 || way == 2 || way == 4)
        lose(rig, false, way != 4);
}

static void heal_cable(const struct rig *rig, int way)
{
    if (way == 3)
        must_run(rig, true, "ip link set server up");
    if (way == 0 || way == 1 || way == 4)
        must_run(rig, true, "nft delete table inet outage");
    if (way == 0 || way == 2 || way == 4)
        must_run(rig, false, "nft delete table inet outage");
}

struct await {
    pthread_t thread;
    struct laptop *laptop;
    int64_t healed_us;
    int way, ms;
};

static void *await_one(void *ctx)
{
    struct await *await = ctx;
    laptop_await_traffic(await->laptop, await->healed_us, await->way, await->ms);
    return NULL;
}

static void one_outage(struct outages *all, struct laptop *laptops, int way)
{
    struct await awaits[OUTAGE_LAPTOPS];
    int ms = outages_choose_ms(all, &all->rig);
    break_cable(&all->rig, way);
    rig_pause(ms / 2);
    for (int i = 0; i < OUTAGE_LAPTOPS; i++)
        laptop_use_both_ends(&laptops[i]);
    rig_pause(ms - ms / 2);
    heal_cable(&all->rig, way);
    int64_t healed_us = ch_clock_mono_us();
    for (int i = 0; i < OUTAGE_LAPTOPS; i++) {
        awaits[i] = (struct await){.laptop = &laptops[i], .healed_us = healed_us, .way = way, .ms = ms};
        if (pthread_create(&awaits[i].thread, NULL, await_one, &awaits[i]) != 0)
            rig_die("no thread");
    }
    for (int i = 0; i < OUTAGE_LAPTOPS; i++)
        pthread_join(awaits[i].thread, NULL);
    rig_pause((int)rig_random(&all->rig, 1500));
}

int main(int argc, char **argv)
{
    static struct outages all;
    static struct laptop laptops[OUTAGE_LAPTOPS];
    char url[64];
    outages_read(&all, argc, argv);
    all.ways = ways;
    if (!enter_network()) {
        printf("skipped: networks of the test's own cannot be made here (root, ip, nft and nsenter are needed)\n");
        return SKIPPED;
    }
    setenv("CHARLE_ALLOW_PLAINTEXT", "1", 1);
    bank_open_at(&all.rig, all.seed, false, "0.0.0.0");
    leave_server(&all.rig);
    snprintf(url, sizeof(url), "tcp://%s:%d", server_host, all.rig.port);
    for (int i = 0; i < OUTAGE_LAPTOPS; i++)
        laptop_open(&laptops[i], &all, i, url, false);
    for (int done = 0, way = 0; done < all.count; done += OUTAGE_LAPTOPS, way = (way + 1) % WAYS)
        one_outage(&all, laptops, way);
    outages_report(&all);
    for (int i = 0; i < OUTAGE_LAPTOPS; i++)
        laptop_close(&laptops[i]);
    rig_close(&all.rig);
    return 0;
}
