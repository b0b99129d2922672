#include "fault/agency.h"

#include "base/arena.h"
#include "base/err.h"
#include "call/method.h"
#include "charleos.schema.charle.h"
#include "charleos/core.charle.h"
#include "db/db.h"
#include "seed/seed.h"

static void seed(struct rig *rig, PGconn *pg)
{
    struct charle_error err = {0};
    const struct charle_seed_options options = {.seed = 7, .users = 16, .clients = 8, .tasks = 40};
    size_t count;
    (void)rig;
    if (charle_seed_run(pg, &options, NULL, NULL, NULL, &err))
        rig_die("seed: %s", err.text);
    const struct charle_seed_person *people = charle_seed_people(&count);
    for (size_t i = 0; i < count; i++)
        rig_allow(pg, people[i].principal, people[i].id);
}

void agency_open(struct rig *rig, uint64_t random, bool is_durable)
{
    const struct rig_options options = {.program = CHARLED, .schema = &charleos_schema, .seed = seed, .random = random, .is_durable = is_durable};
    rig_open(rig, &options);
}

int agency_comment(struct charle_client *client, const char *body, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_rows *rows = NULL;
    struct charle_value id, owner;
    struct charle_client_status status;
    struct charleos_comment_patch reply;
    struct charle_client_outcome outcome = {0};
    const struct charle_client_call_options options = {.outcome = &outcome};
    struct charle_db *db = charle_client_db(client);
    const struct charle_method *method = charle_client_method(client, "charleos.CommentService/Create");
    charle_client_status(client, &status);
    if (!db || !method)
        rig_die("the replica cannot be read, or has no CommentService");
    int rc = charle_query(db, "select id, client_id from task order by id limit 1", NULL, 0, &rows, err);
    if (!rc)
        rc = charle_rows_next(rows, err);
    if (!rc)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &id, err);
    if (!rc)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_TEXT, false, &owner, err);
    if (!rc) {
        const struct charleos_comment_insert request = {
            .subject_type = CHARLEOS_SUBJECT_TYPE_TASK,
            .subject_id = charle_arena_str(&arena, id.text),
            .client_id = charle_arena_str(&arena, owner.text),
            .author_user_id = {.value = charle_str(status.principal_id), .has = true},
            .body = charle_str(body)};
        charle_rows_close(rows);
        rows = NULL;
        rc = charle_client_call(client, method, &request, &arena, &reply, &options, err);
        if (!rc && !outcome.ticket)
            rig_die("a comment went to the server directly");
    }
    charle_rows_close(rows);
    charle_arena_deinit(&arena);
    return rc;
}
