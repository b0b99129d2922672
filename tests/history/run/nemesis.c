// What goes wrong. One thing a turn, drawn by weight; what has to be undone later is undone when its time has come, so that several things are
// wrong at once.
#include "base/clock.h"
#include "history/run/crew.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

typedef void (*deed_fn)(struct crew *crew);

static int64_t in_ms(struct crew *crew, int least, int most)
{
    return ch_clock_mono_us() + 1000 * (least + (int64_t)rig_random(&crew->rig, (uint64_t)(most - least)));
}

static struct crew_client *anyone(struct crew *crew)
{
    return &crew->clients[rig_random(&crew->rig, CREW_CLIENTS)];
}

static bool is_well(const struct crew_client *client)
{
    return client->pid && !client->is_stopped && !client->is_cut_off;
}

static void kill_client(struct crew *crew, struct crew_client *client)
{
    if (!is_well(client))
        return;
    crew_check_client(crew, client);
    kill(client->pid, SIGKILL);
    waitpid(client->pid, NULL, 0);
    client->pid = 0;
    client->back_at_us = in_ms(crew, 1, 800);
    crew->kills++;
}

static void deed_kill(struct crew *crew)
{
    kill_client(crew, anyone(crew));
}

static void deed_kill_many(struct crew *crew)
{
    int count = 2 + (int)rig_random(&crew->rig, CREW_CLIENTS / 2);
    for (int i = 0; i < count; i++) {
        kill_client(crew, anyone(crew));
        rig_pause((int)rig_random(&crew->rig, 10));
    }
}

static void deed_stop(struct crew *crew)
{
    struct crew_client *client = anyone(crew);
    if (!is_well(client))
        return;
    kill(client->pid, SIGSTOP);
    client->is_stopped = true;
    client->back_at_us = in_ms(crew, 100, 3000);
    crew->stops++;
}

static void deed_partition(struct crew *crew)
{
    static const char *const kinds[] = {"blackhole on", "stall up -1", "stall down -1", "refuse on"};
    struct crew_client *client = anyone(crew);
    if (!is_well(client))
        return;
    int kind = (int)rig_random(&crew->rig, 4);
    proxy_do(client->proxy, "%s", kinds[kind]);
    if (kind == 3)
        proxy_do(client->proxy, "close");
    client->is_cut_off = true;
    client->back_at_us = in_ms(crew, 200, 4000);
    crew->partitions++;
}

static void deed_cut(struct crew *crew)
{
    struct crew_client *client = anyone(crew);
    if (rig_random(&crew->rig, 2))
        proxy_do(client->proxy, rig_random(&crew->rig, 2) ? "reset" : "close");
    else
        proxy_do(client->proxy, "cut %s %d now", rig_random(&crew->rig, 2) ? "up" : "down", (int)rig_random(&crew->rig, 3000));
    crew->cuts++;
}

static void deed_server_kill(struct crew *crew)
{
    rig_kill_server(&crew->rig, SIGKILL);
    rig_pause((int)rig_random(&crew->rig, 300));
    rig_start_server(&crew->rig);
    crew->server_kills++;
}

static void deed_server_stop(struct crew *crew)
{
    kill(crew->rig.charled, SIGSTOP);
    rig_pause(50 + (int)rig_random(&crew->rig, 1500));
    kill(crew->rig.charled, SIGCONT);
    crew->server_stops++;
}

static void deed_crash(struct crew *crew)
{
    if (!ch_pg_cluster_halt(crew->rig.cluster, true))
        rig_die("PostgreSQL did not stop");
    rig_pause((int)rig_random(&crew->rig, 400));
    if (!ch_pg_cluster_resume(crew->rig.cluster))
        rig_die("PostgreSQL did not come back");
    crew->crashes++;
}

static const struct {
    int weight;
    deed_fn run;
} deeds[] = {
    {24, deed_kill}, {4, deed_kill_many}, {14, deed_stop}, {20, deed_partition}, {20, deed_cut}, {6, deed_server_kill}, {5, deed_server_stop}, {5, deed_crash},
};

static void do_something(struct crew *crew)
{
    int all = 0;
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
        all += deeds[i].weight;
    int at = (int)rig_random(&crew->rig, (uint64_t)all);
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        if (at < deeds[i].weight) {
            deeds[i].run(crew);
            return;
        }
        at -= deeds[i].weight;
    }
}

static void undo(struct crew *crew, struct crew_client *client)
{
    client->back_at_us = 0;
    if (client->is_cut_off)
        proxy_do(client->proxy, "heal");
    client->is_cut_off = false;
    if (client->is_stopped)
        kill(client->pid, SIGCONT);
    client->is_stopped = false;
    if (!client->pid)
        crew_start_client(crew, client);
}

void nemesis_run(struct crew *crew)
{
    int64_t next_us = in_ms(crew, 500, 1000), told_us = ch_clock_mono_us(), now_us;
    while ((now_us = ch_clock_mono_us()) < crew->end_us) {
        for (int i = 0; i < CREW_CLIENTS; i++) {
            if (crew->clients[i].back_at_us && crew->clients[i].back_at_us <= now_us)
                undo(crew, &crew->clients[i]);
            if (crew->clients[i].pid)
                crew_check_client(crew, &crew->clients[i]);
        }
        if (now_us >= next_us) {
            do_something(crew);
            next_us = in_ms(crew, 50, 600);
        }
        if (now_us - told_us > 30000000) {
            told_us = now_us;
            printf("%d s to go: %d kills, %d stops, %d partitions, %d cuts, server: %d kills, %d stops, %d crashes of PostgreSQL\n",
                   (int)((crew->end_us - now_us) / 1000000), crew->kills, crew->stops, crew->partitions, crew->cuts, crew->server_kills,
                   crew->server_stops, crew->crashes);
            fflush(stdout);
        }
        rig_pause(10);
    }
    for (int i = 0; i < CREW_CLIENTS; i++) {
        proxy_do(crew->clients[i].proxy, "heal");
        undo(crew, &crew->clients[i]);
    }
}
