#include "laptop.h"

#include "base/clock.h"
#include "call/method.h"
#include "key.h"
#include "output.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct charle_client_options laptop_options(struct cli *cli, bool is_read_only)
{
    return (struct charle_client_options){
        .file = cli_replica_path(cli),
        .schema = cli->app->schema,
        .url = cli_server_address(cli),
        .token = cli_setting(cli, "token"),
        .device_name = cli->profile,
        .is_read_only = is_read_only,
        .key = key_of_replica(cli),
        .ignores_seed_files = cli->copies_rows,
    };
}

struct charle_client *laptop_open(struct cli *cli, bool is_read_only, int *out_exit)
{
    struct charle_error err = {0};
    struct charle_client *client = NULL;
    if (is_read_only && access(cli_replica_path(cli), F_OK) != 0) {
        charle_fail(&err, CHARLE_NOT_FOUND, "there is no replica yet at %s; `%s` and `%s` make one",
                    cli_replica_path(cli), cli_next(cli, "login"), cli_next(cli, "sync"));
        *out_exit = cli_fail(cli, &err);
        return NULL;
    }
    const struct charle_client_options options = laptop_options(cli, is_read_only);
    if (charle_client_open(&options, &client, &err)) {
        *out_exit = cli_fail(cli, &err);
        return NULL;
    }
    return client;
}

const char *laptop_age(int64_t at_us, char out[32])
{
    int64_t seconds = (ch_clock_wall().us - at_us) / 1000000;
    if (at_us == 0)
        snprintf(out, 32, "never");
    else if (seconds < 2)
        snprintf(out, 32, "just now");
    else if (seconds < 120)
        snprintf(out, 32, "%lld s ago", (long long)seconds);
    else if (seconds < 7200)
        snprintf(out, 32, "%lld min ago", (long long)seconds / 60);
    else if (seconds < 172800)
        snprintf(out, 32, "%lld h ago", (long long)seconds / 3600);
    else
        snprintf(out, 32, "%lld days ago", (long long)seconds / 86400);
    return out;
}

const char *laptop_when(int64_t at_us, char out[32])
{
    int64_t seconds = (at_us - ch_clock_wall().us + 999999) / 1000000;
    seconds = seconds > 0 ? seconds : 0;
    if (seconds < 120)
        snprintf(out, 32, "in %lld s", (long long)seconds);
    else if (seconds < 7200)
        snprintf(out, 32, "in %lld min", (long long)seconds / 60);
    else if (seconds < 172800)
        snprintf(out, 32, "in %lld h", (long long)seconds / 3600);
    else
        snprintf(out, 32, "in %lld days", (long long)seconds / 86400);
    return out;
}

const char *laptop_verdict_name(enum charle_client_verdict verdict)
{
    switch (verdict) {
    case CHARLE_VERDICT_NONE:
        return "waiting";
    case CHARLE_VERDICT_APPLIED:
        return "applied";
    case CHARLE_VERDICT_MERGED:
        return "merged";
    case CHARLE_VERDICT_REJECTED:
        return "rejected";
    case CHARLE_VERDICT_PARKED:
        return "parked";
    }
    return "unknown";
}

// Is `service` "package.ShortService" or "package.Short"?
static bool is_service(struct charle_str service, const char *short_name, size_t len)
{
    static const char *const endings[] = {"Service", ""};
    const char *dot = memrchr(service.ptr, '.', service.len);
    struct charle_str local = dot ? charle_str_n(dot + 1, service.len - (size_t)(dot + 1 - service.ptr)) : service;
    for (size_t i = 0; i < 2; i++) {
        size_t ending = strlen(endings[i]);
        if (local.len == len + ending && memcmp(local.ptr, short_name, len) == 0 && memcmp(local.ptr + len, endings[i], ending) == 0)
            return true;
    }
    return false;
}

// "Task.Get" and "TaskService/Get" in any package of the schema; whole names are left alone.
static const struct charle_method *lookup(const struct cli *cli, const struct charle_client *client, const char *name)
{
    const struct charle_method *method = charle_client_method(client, name);
    const char *dot = strrchr(name, strchr(name, '/') ? '/' : '.');
    const struct charle_schema *schema = cli->app->schema;
    for (size_t i = 0; !method && dot && i < schema->service_count; i++) {
        const struct charle_service *service = schema->services[i];
        char full[256];
        if (!is_service(service->name, name, (size_t)(dot - name)))
            continue;
        snprintf(full, sizeof(full), "%.*s/%s", CHARLE_FMT(service->name), dot + 1);
        method = charle_client_method(client, full);
    }
    return method;
}

const struct charle_method *laptop_method(const struct cli *cli, const struct charle_client *client, const struct cli_command *command,
                                          const char *name)
{
    const struct charle_method *method = lookup(cli, client, name);
    if (method)
        return method;
    cli_usage(command, "there is no method \"%s\"", name);
    fprintf(stderr, "Some there are:\n");
    const struct charle_schema *schema = cli->app->schema;
    for (size_t i = 0, shown = 0; i < schema->service_count && shown < 12; i++) {
        const struct charle_service *service = schema->services[i];
        for (size_t j = 0; j < service->method_count && shown < 12; j++, shown++)
            fprintf(stderr, "  %.*s\n", CHARLE_FMT(service->methods[j].name));
    }
    return NULL;
}

// Progress is drawn by a thread of its own, because a sync blocks.
struct drawing {
    struct charle_client *client;
    struct progress progress;
    atomic_bool is_over;
};

static void *draw(void *ctx)
{
    struct drawing *drawing = ctx;
    const struct timespec pause = {.tv_nsec = 100000000};
    while (!atomic_load(&drawing->is_over)) {
        struct charle_client_status status;
        charle_client_status(drawing->client, &status);
        if (status.state == CHARLE_CLIENT_COPYING)
            progress_show(&drawing->progress, (uint64_t)status.rows_copied, (uint64_t)status.rows_total, "rows");
        nanosleep(&pause, NULL);
    }
    return NULL;
}

int laptop_sync(struct cli *cli, struct charle_client *client, uint32_t timeout_ms)
{
    struct drawing drawing = {.client = client};
    progress_start(&drawing.progress, "copying", cli->quiet || cli->json);
    pthread_t thread;
    bool drawn = pthread_create(&thread, NULL, draw, &drawing) == 0;
    struct charle_error err = {0};
    int rc = charle_client_sync(client, timeout_ms, &err);
    atomic_store(&drawing.is_over, true);
    if (drawn)
        pthread_join(thread, NULL);
    progress_end(&drawing.progress, NULL);
    return rc ? cli_fail(cli, &err) : CLI_OK;
}
