// charle seed: development data, an agency with a year of history; and passwords for the people in it.
#include "agency.h"
#include "cli.h"
#include "output.h"
#include "password.h"
#include "seed/seed.h"
#include "server_process.h"

#include <stdlib.h>
#include <string.h>

// The password of every seeded person. It protects nothing: the data is made up, and docs/operate.md says never to seed a real database.
static const char dev_password[] = "charle-dev";

struct seeding {
    struct progress progress;
    const char *stage;
};

static void on_progress(void *ctx, const char *stage, int64_t done, int64_t total)
{
    struct seeding *seeding = ctx;
    seeding->progress.what = stage;
    progress_show(&seeding->progress, (uint64_t)done, (uint64_t)total, "rows");
}

static enum charle_err set_passwords(PGconn *pg, const char *password, struct charle_error *err)
{
    size_t count;
    const struct charle_seed_person *people = charle_seed_people(&count);
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; i < count && !rc; i++)
        rc = password_set(pg, people[i].principal, people[i].id, password, err);
    return rc;
}

static void print_people(void)
{
    size_t count;
    const struct charle_seed_person *people = charle_seed_people(&count);
    printf("People who can sign in (password \"%s\"):\n", dev_password);
    for (size_t i = 0; i < count; i++)
        printf("  %-28s %-18s %s\n", people[i].email, people[i].name, people[i].about);
}

static int seed(struct cli *cli, const struct charle_seed_options *options)
{
    struct charle_error err = {0};
    const char *url = server_database_url(cli);
    if (!url) {
        charle_fail(&err, CHARLE_UNAVAILABLE, "no database: set DATABASE_URL, or start the server first (%s up)", CLI_NAME);
        return cli_fail(cli, &err);
    }
    PGconn *pg = PQconnectdb(url);
    struct seeding seeding = {0};
    struct charle_seed_result result = {0};
    enum charle_err rc = CHARLE_OK;
    progress_start(&seeding.progress, "seeding", cli->quiet || cli->json);
    if (PQstatus(pg) != CONNECTION_OK)
        rc = charle_fail(&err, CHARLE_UNAVAILABLE, "cannot reach the database: %s", PQerrorMessage(pg));
    if (!rc)
        rc = charle_seed_run(pg, options, on_progress, &seeding, &result, &err);
    if (!rc)
        rc = set_passwords(pg, dev_password, &err);
    progress_end(&seeding.progress, NULL);
    PQfinish(pg);
    if (rc)
        return cli_fail(cli, &err);
    if (cli->is_part && cli->json)
        return CLI_OK;
    if (cli->json) {
        printf("{\"rows\":%lld,\"task_rows\":%lld,\"elapsed_us\":%lld}\n", (long long)result.rows, (long long)result.task_rows,
               (long long)result.elapsed_us);
        return CLI_OK;
    }
    printf("Seeded %lld rows in %.1f s, %lld of them tasks.\n", (long long)result.rows, (double)result.elapsed_us / 1e6,
           (long long)result.task_rows);
    print_people();
    return CLI_OK;
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    const char *seed_text = "1", *rows_text = "0", *clients_text = "0", *tasks_text = "0", *users_text = "0", *today_text = NULL;
    const struct cli_option options[] = {
        {"--rows", "N", "rows of the table task in all (default: those with a history)", &rows_text, NULL, NULL, NULL},
        {"--seed", "N", "another number gives another agency (default 1)", &seed_text, NULL, NULL, NULL},
        {"--users", "N", "people of the team, 16 to 500 (default 30)", &users_text, NULL, NULL, NULL},
        {"--clients", "N", "8 to 5000 (default 40)", &clients_text, NULL, NULL, NULL},
        {"--tasks", "N", "tasks with a history, 20 to 20000 (default 400)", &tasks_text, NULL, NULL, NULL},
        {"--today", "DATE", "the last day of the history (default: today)", &today_text, NULL, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, sizeof(options) / sizeof(options[0]), argc, argv, &count, &code))
        return code;
    if (count != 0)
        return cli_usage(command, "unexpected \"%s\"", argv[0]);
    long seed_number, rows, clients, tasks, users;
    if (!cli_read_number("--seed", seed_text, 1, INT64_MAX, &seed_number) || !cli_read_number("--rows", rows_text, 0, 100000000, &rows) ||
        !cli_read_number("--clients", clients_text, 0, 5000, &clients) || !cli_read_number("--tasks", tasks_text, 0, 20000, &tasks) ||
        !cli_read_number("--users", users_text, 0, 500, &users))
        return CLI_USAGE;
    struct charle_seed_options seed_options = {.seed = (uint64_t)seed_number, .users = (uint32_t)users, .clients = (uint32_t)clients,
                                               .tasks = (uint32_t)tasks, .rows = rows};
    if (today_text && !charle_date_read(charle_str(today_text), &seed_options.today))
        return cli_usage(command, "--today takes a date such as 2026-11-22, not \"%s\"", today_text);
    return seed(cli, &seed_options);
}

static const struct cli_command cmd_seed = {
    .name = "seed",
    .arguments = "[--rows N] [--seed N]",
    .summary = "fill an empty database with an agency's data",
    .help = "Writes people, clients and a year of work into the database of $DATABASE_URL, or of this home folder's server. The same seed\n"
            "gives the same rows. Refuses a database that has people in it already. For development only: everyone gets the same\n"
            "known password.\n\n"
            "Examples:\n"
            "  charle seed\n"
            "  charle seed --rows 1000000\n"
            "  DATABASE_URL=postgres://localhost/charle charle seed --seed 7 --clients 200",
    .run = run,
};

// Fills a database that has nobody in it.
static int fill(struct cli *cli, const char *url)
{
    PGconn *pg = PQconnectdb(url);
    PGresult *result = PQexec(pg, "select 1 from \"user\" limit 1");
    bool is_empty = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 0;
    PQclear(result);
    PQfinish(pg);
    char *none[1] = {NULL};
    return is_empty ? run(cli, &cmd_seed, 0, none) : CLI_OK;
}

const struct charle_cli_extra agency_extra = {
    .seed = &cmd_seed, .fill = fill, .next = "charle login ada@charleos.test, then charle sync"};
