#include "watch.h"

#include <poll.h>
#include <signal.h>

enum { LOOK_MS = 250 }; // other programs write, too

struct watching {
    const struct watch_query *query;
    struct charle_buf line;
    struct charle_error failed;
    bool has_header;
};

static void print_json(struct watching *w, const struct charle_live_change *change)
{
    static const char *const names[] = {"", "inserted", "updated", "deleted", "settled", "failed"};
    charle_buf_printf(&w->line, "{\"event\": \"%s\", \"at\": %lld", names[change->event], (long long)change->at);
    if (change->has_moved)
        charle_buf_add_text(&w->line, ", \"has_moved\": true");
    if (change->values) {
        charle_buf_add_text(&w->line, ", \"row\": ");
        output_values(change->values, change->columns, w->query->columns, change->column_count, OUTPUT_JSON, &w->line);
    }
    if (change->old_values) {
        charle_buf_add_text(&w->line, ", \"old\": ");
        output_values(change->old_values, change->columns, w->query->columns, change->column_count, OUTPUT_JSON, &w->line);
    }
    charle_buf_add_byte(&w->line, '}');
}

static void print_sign(struct watching *w, const struct charle_live_change *change)
{
    static const char signs[] = {' ', '+', '~', '-'};
    for (size_t i = 0; !w->has_header && i < change->column_count; i++)
        printf("%s%s", i ? "," : "  ", change->columns[i]);
    if (!w->has_header)
        printf("\n");
    w->has_header = true;
    if (change->event == CHARLE_LIVE_SETTLED) {
        charle_buf_printf(&w->line, "(%lld row%s)", (long long)change->at, change->at == 1 ? "" : "s");
        return;
    }
    charle_buf_printf(&w->line, "%c ", signs[change->event]);
    output_values(change->values, change->columns, w->query->columns, change->column_count, OUTPUT_CSV, &w->line);
}

static void on_change(void *ctx, const struct charle_live_change *change)
{
    struct watching *w = ctx;
    if (change->event == CHARLE_LIVE_FAILED) {
        charle_fail(&w->failed, (enum charle_err)change->code, "%s", change->text);
        return;
    }
    charle_buf_reset(&w->line);
    if (w->query->format == OUTPUT_JSON)
        print_json(w, change);
    else
        print_sign(w, change);
    printf("%.*s\n", CHARLE_FMT(charle_buf_str(&w->line)));
    if (change->event == CHARLE_LIVE_SETTLED)
        fflush(stdout);
}

static volatile sig_atomic_t is_over;

static void end(int number)
{
    (void)number;
    is_over = 1;
}

static enum charle_err follow(struct charle_client_live *live, struct watching *w, struct charle_error *err)
{
    struct pollfd wait = {.fd = charle_client_live_fd(live), .events = POLLIN};
    while (!is_over && !ferror(stdout)) {
        int rc = charle_client_live_take(live, err);
        if (rc)
            return (enum charle_err)rc;
        if (w->failed.code) {
            *err = w->failed;
            return w->failed.code;
        }
        poll(&wait, 1, LOOK_MS);
    }
    return CHARLE_OK;
}

int watch_query(struct cli *cli, struct charle_client *client, const struct watch_query *query)
{
    struct watching w = {.query = query};
    struct charle_error err = {0};
    struct charle_client_live *live = NULL;
    struct charle_client_status status;
    const struct charle_live_query options = {.sql = query->sql, .params = query->params, .param_count = query->param_count,
                                              .key = query->key, .fn = on_change, .ctx = &w};
    sigaction(SIGINT, &(struct sigaction){.sa_handler = end}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = end}, NULL);
    if (charle_client_start(client, &err) && !cli->quiet)
        fprintf(stderr, "Not synchronising (%s); following what this laptop's programs write.\n", err.text);
    charle_client_status(client, &status);
    if (!status.is_ready && !cli->quiet)
        fprintf(stderr, "Waiting for the first copy to be complete.\n");
    int rc = charle_client_live_open(client, NULL, &live, &err);
    if (!rc)
        rc = charle_client_live_add(live, &options, NULL, &err);
    if (!rc)
        rc = (int)follow(live, &w, &err);
    charle_client_live_close(live);
    charle_buf_deinit(&w.line);
    return rc ? cli_fail(cli, &err) : CLI_OK;
}
