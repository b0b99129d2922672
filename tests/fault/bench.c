#include "fault/bench.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

void check(bool ok, const char *what)
{
    if (!ok)
        rig_die("%s", what);
}

void must(int rc, const struct charle_error *err, const char *what)
{
    if (rc)
        rig_die("%s: %s", what, err->text);
}

static void find_subject(struct bench *bench)
{
    PGresult *result = PQexec(bench->pg, "select id, client_id from task order by id limit 1");
    check(PQntuples(result) == 1, "no task");
    snprintf(bench->task, sizeof(bench->task), "%s", PQgetvalue(result, 0, 0));
    snprintf(bench->client, sizeof(bench->client), "%s", PQgetvalue(result, 0, 1));
    PQclear(result);
}

static void login_portal(struct bench *bench)
{
    struct charle_error err = {0};
    struct charle_login_result reply;
    PGresult *result = PQexec(bench->pg, "select u.email from client_user u join charle.credential c on c.principal_id = u.id "
                                         "and c.principal = 'client_user' order by u.id limit 1");
    check(PQntuples(result) == 1, "no person of a client");
    const struct charle_login_options options = {.url = bench->rig.address, .principal = "client_user", .email = PQgetvalue(result, 0, 0), .password = rig_password};
    must(charle_login(&options, &reply, &err), &err, "login of a client's person");
    memcpy(bench->portal, reply.token, sizeof(bench->portal));
    PQclear(result);
}

void bench_open(struct bench *bench)
{
    agency_open(&bench->rig, 1, false);
    bench->pg = rig_psql(&bench->rig);
    rig_login(&bench->rig, "pia@charleos.test", bench->pia);
    rig_login(&bench->rig, "mo@charleos.test", bench->mo);
    login_portal(bench);
    find_subject(bench);
}

void bench_run(struct bench *bench, const struct bench_case *cases, size_t count, int argc, char **argv)
{
    for (size_t i = 0; i < count; i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
            continue;
        printf("%s\n", cases[i].name);
        fflush(stdout);
        cases[i].fn(bench);
    }
}

void bench_close(struct bench *bench)
{
    PQfinish(bench->pg);
    rig_close(&bench->rig);
}
