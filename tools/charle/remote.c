#include "remote.h"

#include "base/buf.h"
#include "charle/admin.charle.h"
#include "msg/json.h"

#include <string.h>

enum { CLIENTS_SHOWN = 50, TEXT_SHOWN = 40 };

static const char *span(int64_t us, char out[32])
{
    if (us < 1000000)
        snprintf(out, 32, "%lld ms", (long long)(us / 1000));
    else if (us < 120000000)
        snprintf(out, 32, "%.1f s", (double)us / 1e6);
    else if (us < 7200000000)
        snprintf(out, 32, "%lld min", (long long)(us / 60000000));
    else if (us < 172800000000)
        snprintf(out, 32, "%lld h", (long long)(us / 3600000000));
    else
        snprintf(out, 32, "%lld days", (long long)(us / 86400000000));
    return out;
}

static const char *size(uint64_t bytes, char out[32])
{
    if (bytes < 10000)
        snprintf(out, 32, "%llu B", (unsigned long long)bytes);
    else if (bytes < 10000000)
        snprintf(out, 32, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(out, 32, "%.1f MB", (double)bytes / 1e6);
    return out;
}

// Names come from other people's laptops: what would move a terminal's cursor is shown as a question mark.
static const char *plain(struct charle_str text, char out[TEXT_SHOWN])
{
    size_t len = text.len < TEXT_SHOWN ? text.len : TEXT_SHOWN - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f || ((unsigned char)text.ptr[i] & 0xe0) == 0x80 ? '?' : text.ptr[i];
    out[len] = '\0';
    return out;
}

static void print_clients(const struct charle_server_reply *reply)
{
    const struct charle_live_client *const *clients = reply->client.items;
    char who[TEXT_SHOWN], device[TEXT_SHOWN], peer[TEXT_SHOWN], since[32], behind[32], silent[32], queued[32];
    printf("Connected   %u connections, %u live replicas\n", reply->connections, reply->live_streams);
    if (reply->client.count)
        printf("  %-30s %-20s %-22s %-9s %-18s %s\n", "who", "device", "from", "since", "behind", "waiting to be taken");
    for (size_t i = 0; i < reply->client.count; i++) {
        const struct charle_live_client *client = clients[i];
        char text[80], lag[80] = "in step", slow[80] = "";
        snprintf(text, sizeof(text), "%.12s %.26s", plain(client->principal, device), plain(client->principal_id, who));
        if (client->behind_stamps || client->behind_us)
            snprintf(lag, sizeof(lag), "%lld stamps, %s", (long long)client->behind_stamps, span(client->behind_us, behind));
        if (client->silent_us)
            snprintf(slow, sizeof(slow), "%s, nothing taken for %s", size((uint64_t)client->queued_bytes, queued), span(client->silent_us, silent));
        printf("  %-30.30s %-20.20s %-22.22s %-9s %-18s %s\n", text, plain(client->device_name.has ? client->device_name.value : client->device_id, device),
               plain(client->peer, peer), span(client->since_us, since), lag, slow);
    }
    if (reply->live_streams > reply->client.count)
        printf("  … and %zu more, which are not further behind\n", reply->live_streams - reply->client.count);
}

static void print_standbys(const struct charle_server_reply *reply)
{
    const struct charle_standby_state *const *standbys = reply->standby.items;
    char name[TEXT_SHOWN], lag[32];
    for (size_t i = 0; i < reply->standby.count; i++) {
        const struct charle_standby_state *standby = standbys[i];
        printf("Standby     %s: %s, %s behind, %llu reads, %llu left to the primary%s%.*s\n", plain(standby->name, name),
               standby->is_used ? "used" : "left out", standby->lag_us < 0 ? "unknown" : span(standby->lag_us, lag),
               (unsigned long long)standby->reads, (unsigned long long)standby->passed_on, standby->problem.has ? ": " : "",
               CHARLE_FMT(standby->problem.has ? standby->problem.value : charle_str("")));
    }
}

static void print_peers(const struct charle_server_reply *reply)
{
    const struct charle_peer_state *const *peers = reply->peer.items;
    char name[TEXT_SHOWN], heard[32];
    if (reply->peer.count || reply->hints_sent || reply->hints_refused)
        printf("Bus         %zu other servers; %llu hints sent, %llu messages refused\n", reply->peer.count, (unsigned long long)reply->hints_sent,
               (unsigned long long)reply->hints_refused);
    for (size_t i = 0; i < reply->peer.count; i++)
        printf("  %-10s heard %s ago, %llu hints, %llu lost\n", plain(peers[i]->name, name), span(peers[i]->heard_us, heard),
               (unsigned long long)peers[i]->hints, (unsigned long long)peers[i]->lost);
}

static void print_hot(const struct charle_server_reply *reply)
{
    const struct charle_hot_scope *const *hot = reply->hot.items;
    char scope[TEXT_SHOWN];
    if (reply->hot.count)
        printf("Hot scopes  stamps in the last minute or two\n");
    for (size_t i = 0; i < reply->hot.count; i++)
        printf("  %-40s %llu\n", plain(hot[i]->scope, scope), (unsigned long long)hot[i]->raises);
}

static void print_blockers(const struct charle_server_reply *reply)
{
    const struct charle_blocker *const *blockers = reply->blocker.items;
    char user[TEXT_SHOWN], application[TEXT_SHOWN], state[TEXT_SHOWN], waited[32], open[32];
    if (reply->blocker.count)
        printf("Held up     sessions of the database that wait for others\n");
    for (size_t i = 0; i < reply->blocker.count; i++) {
        const struct charle_blocker *blocker = blockers[i];
        printf("  %lld for %s, by ", (long long)blocker->waiting, span(blocker->waited_us, waited));
        if (!blocker->pid)
            printf("a prepared transaction (select * from pg_prepared_xacts)\n");
        else
            printf("process %d (user %s, program %s): %s%s%s\n", blocker->pid, plain(blocker->user, user), plain(blocker->application, application),
                   plain(blocker->state, state), blocker->open_us.has ? ", transaction open for " : "",
                   blocker->open_us.has ? span(blocker->open_us.value, open) : "");
    }
}

static void print_folds(const struct charle_server_reply *reply)
{
    if (reply->fold_transactions.value)
        printf("Folding     %llu calls in %llu transactions since the start\n", (unsigned long long)reply->folded_calls.value,
               (unsigned long long)reply->fold_transactions.value);
}

static void print_text(const struct charle_server_reply *reply)
{
    char first[32], second[32];
    printf("Server      version %.*s, up for %s\n", CHARLE_FMT(reply->version), span(reply->uptime_us, first));
    print_clients(reply);
    print_blockers(reply);
    print_hot(reply);
    print_folds(reply);
    print_standbys(reply);
    print_peers(reply);
    printf("Ring        %llu ticks, %s of %s\n", (unsigned long long)reply->ring_ticks, size(reply->ring_bytes, first), size(reply->ring_bytes_max, second));
    printf("Change log  about %lld entries, %s\n", (long long)reply->log_entries, size((uint64_t)reply->log_bytes, first));
}

int remote_status(struct cli *cli, struct charle_client *client)
{
    struct charle_error err = {0};
    struct charle_server_reply reply;
    const struct charle_server_request request = {.limit = {CLIENTS_SHOWN, true}};
    const struct charle_client_call_options options = {.is_online = true};
    if (charle_client_call(client, &charle_admin_server_method, &request, &cli->arena, &reply, &options, &err))
        return cli_fail(cli, &err);
    if (!cli->json) {
        print_text(&reply);
        return CLI_OK;
    }
    struct charle_buf text = {0};
    charle_message_write_json(&charle_server_reply_message, &reply, &text);
    const char *json = charle_buf_text(&text);
    printf("%s\n", json ? json : "null");
    charle_buf_deinit(&text);
    return CLI_OK;
}
