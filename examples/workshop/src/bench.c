// A program for a mechanic's laptop, on libcharle:
//   bench FILE sync URL EMAIL       signs in (password on standard input) and synchronises; needs the server
//   bench FILE show                 the repairs on this bench and the parts they took; needs no network
//   bench FILE use NUMBER CODE N    takes N parts for the repair with this number; needs no network
//   bench FILE jot NUMBER TEXT      keeps a text beside the repair, on this laptop alone
#include "charle/charle.h"
#include "usage.h"
#include "workshop.client.charle.h"
#include "workshop.schema.charle.h"

#include <stdio.h>
#include <stdlib.h>

// A left join: the columns of its outer side may be null, so OUTER makes them optional in the struct.
#define BENCH_LINE(FIELD, OUTER)       \
    OUTER(jotting, jotting.text)       \
    FIELD(number, repair.number)       \
    FIELD(bicycle, repair.bicycle)     \
    FIELD(customer, repair.customer)   \
    OUTER(mechanic, mechanic.name)
CHARLE_SHAPE(bench_line, BENCH_LINE);

struct bench {
    struct charle_client *client;
    struct charle_arena arena; // what queries and calls return
    struct charle_error err;
};

static int sync_bench(struct bench *bench, const char *url, const char *email)
{
    char password[256] = "";
    if (fgets(password, sizeof(password), stdin))
        password[strcspn(password, "\n")] = '\0';
    struct charle_login_result session;
    const struct charle_login_options login = {.url = url, .principal = "mechanic", .email = email, .password = password};
    int rc = charle_login(&login, &session, &bench->err);
    if (rc)
        return rc;
    charle_client_set_token(bench->client, session.token);
    return charle_client_sync(bench->client, 60000, &bench->err);
}

static int show(struct bench *bench)
{
    struct charle_db *db = charle_client_db(bench->client);
    struct bench_line *lines;
    struct usage *parts;
    size_t count;
    int rc = charle_fetch_all(db, &bench->arena,
                              charle_select(bench_line, from(repair), left_join(mechanic, eq(mechanic.id, repair.mechanic_id)),
                                            left_join(jotting, eq(jotting.repair_id, repair.id)),
                                            where(eq(repair.state, WORKSHOP_REPAIR_STATE_IN_WORK)), order_by(asc(repair.number))),
                              &lines, &count, &bench->err);
    for (size_t i = 0; i < count && !rc; i++)
        printf("#%d %.*s for %.*s (%.*s) %.*s\n", lines[i].number, CHARLE_FMT(lines[i].bicycle), CHARLE_FMT(lines[i].customer),
               CHARLE_FMT(lines[i].mechanic.has ? lines[i].mechanic.value : CHARLE_STR("nobody")),
               CHARLE_FMT(lines[i].jotting.has ? lines[i].jotting.value : CHARLE_STR("")));
    if (!rc)
        rc = usage_fetch(db, &bench->arena, &parts, &count, &bench->err);
    for (size_t i = 0; i < count && !rc; i++)
        printf("  %lld x %.*s\n", (long long)parts[i].quantity.value, CHARLE_FMT(parts[i].name));
    return rc;
}

static int use_part(struct bench *bench, int number, const char *code, int quantity)
{
    struct workshop_repair found;
    struct workshop_use_part_reply reply;
    int rc = charle_fetch_row(charle_client_db(bench->client), &bench->arena, charle_select_rows(repair, where(eq(repair.number, number))),
                              &found, &bench->err);
    if (rc)
        return rc;
    const struct workshop_use_part_request request = {.repair_id = found.id, .part_code = charle_str(code), .quantity = quantity};
    rc = workshop_bench_use_part_call(bench->client, &request, &bench->arena, &reply, NULL, &bench->err);
    if (!rc)
        printf("%lld left. The server will hear of it with the next sync.\n", (long long)reply.stock_left);
    return rc;
}

// One transaction of the laptop's own: the first jotting about a repair, or another text in its place.
static int write_jotting(void *ctx, struct charle_db *db, struct charle_error *err)
{
    const struct workshop_jotting_insert *jot = ctx;
    return (int)charle_run(db, on_conflict_do_update(charle_insert(jotting, *jot), target(by(jotting.repair_id)), set(jotting.text, jot->text)),
                           NULL, err);
}

static int jot_down(struct bench *bench, int number, const char *text)
{
    struct workshop_repair found;
    int rc = charle_fetch_row(charle_client_db(bench->client), &bench->arena, charle_select_rows(repair, where(eq(repair.number, number))),
                              &found, &bench->err);
    struct workshop_jotting_insert jot = {.repair_id = found.id, .text = charle_str(text)};
    return rc ? rc : charle_client_write_local(bench->client, write_jotting, &jot, &bench->err);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    const struct charle_client_options options = {
        .file = argc > 1 ? argv[1] : NULL, .schema = &workshop_schema, .device_name = "bench",
        .url = argc == 5 && strcmp(argv[2], "sync") == 0 ? argv[3] : NULL};
    int rc = argc < 3 ? CHARLE_INVALID_ARGUMENT : charle_client_open(&options, &bench.client, &bench.err);
    if (rc == CHARLE_OK && strcmp(argv[2], "sync") == 0 && argc == 5)
        rc = sync_bench(&bench, argv[3], argv[4]);
    else if (rc == CHARLE_OK && strcmp(argv[2], "show") == 0)
        rc = show(&bench);
    else if (rc == CHARLE_OK && strcmp(argv[2], "use") == 0 && argc == 6)
        rc = use_part(&bench, atoi(argv[3]), argv[4], atoi(argv[5]));
    else if (rc == CHARLE_OK && strcmp(argv[2], "jot") == 0 && argc == 5)
        rc = jot_down(&bench, atoi(argv[3]), argv[4]);
    else if (rc == CHARLE_OK)
        rc = CHARLE_INVALID_ARGUMENT;
    if (rc)
        fprintf(stderr, "bench: %s\n", bench.err.text[0] ? bench.err.text : "usage: bench FILE sync URL EMAIL | show | use NUMBER CODE N | jot NUMBER TEXT");
    charle_client_close(bench.client);
    charle_arena_deinit(&bench.arena);
    return rc ? 1 : 0;
}
