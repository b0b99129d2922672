// charle passwd: gives a person a password, in the database that this machine's server uses.
#include "db/schema.h"
#include "password.h"
#include "server_process.h"

#include <string.h>

enum { PASSWORD_LEN_MIN = 8 };

// The primary key of the person with this address. The table comes from the schema, the address is bound.
static enum charle_err find_person(struct cli *cli, PGconn *pg, const struct charle_table *people, const char *email, const char **out_id,
                                   struct charle_error *err)
{
    const struct charle_column *key = &people->columns[people->key_columns[0]];
    struct charle_str sql = charle_arena_printf(&cli->arena, "select \"%.*s\" from \"%.*s\" where email = $1", CHARLE_FMT(key->name),
                                                CHARLE_FMT(people->name));
    if (!sql.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    PGresult *result = PQexecParams(pg, sql.ptr, 1, NULL, &email, NULL, NULL, 0);
    enum charle_err rc = CHARLE_OK;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        rc = charle_fail(err, CHARLE_UNAVAILABLE, "cannot look for %s: %s", email, PQerrorMessage(pg));
    else if (PQntuples(result) == 0)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "nobody in \"%.*s\" has the address %s; insert the row first", CHARLE_FMT(people->name), email);
    else
        *out_id = charle_arena_str(&cli->arena, charle_str(PQgetvalue(result, 0, 0))).ptr;
    PQclear(result);
    return rc;
}

static int set(struct cli *cli, const struct charle_table *people, const char *email, const char *password)
{
    struct charle_error err = {0};
    const char *url = server_database_url(cli), *id = NULL;
    if (!url) {
        charle_fail(&err, CHARLE_UNAVAILABLE, "no database: set DATABASE_URL, or start the server first (%s up)", CLI_NAME);
        return cli_fail(cli, &err);
    }
    PGconn *pg = PQconnectdb(url);
    enum charle_err rc = CHARLE_OK;
    if (PQstatus(pg) != CONNECTION_OK)
        rc = charle_fail(&err, CHARLE_UNAVAILABLE, "cannot reach the database: %s", PQerrorMessage(pg));
    if (!rc)
        rc = find_person(cli, pg, people, email, &id, &err);
    if (!rc)
        rc = password_set(pg, people->name.ptr, id ? id : "", password, &err);
    PQfinish(pg);
    if (rc)
        return cli_fail(cli, &err);
    if (cli->json)
        printf("{\"principal\":\"%s\",\"id\":\"%s\"}\n", people->name.ptr, id);
    else
        printf("%s can sign in.\n", email);
    return CLI_OK;
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    const char *principal = password_principal(cli);
    const struct cli_option options[] = {{"--principal", "TABLE", "another table of people than the usual one", &principal, NULL, NULL, NULL}};
    int count, code;
    if (!cli_parse(cli, command, options, 1, argc, argv, &count, &code))
        return code;
    if (count != 1)
        return cli_usage(command, "one e-mail address is needed");
    const struct charle_table *people = charle_schema_table_named(cli->app->schema, charle_str(principal));
    if (!people || !charle_table_column(people, CHARLE_STR("email")))
        return cli_usage(command, "people who sign in are rows of a table with a column \"email\"; \"%s\" is none", principal);
    char password[512];
    if (!password_read(password, sizeof(password)))
        return cli_usage(command, "no password came on standard input");
    if (strlen(password) < PASSWORD_LEN_MIN)
        return cli_usage(command, "a password has at least %d characters", PASSWORD_LEN_MIN);
    code = set(cli, people, argv[0], password);
    explicit_bzero(password, sizeof(password));
    return code;
}

const struct cli_command cmd_passwd = {
    .name = "passwd",
    .arguments = "EMAIL",
    .summary = "give a person a password",
    .help = "Sets the password of the person with this e-mail address in the database of $DATABASE_URL, or of this home folder's server.\n"
            "Asks for it on the terminal, or reads one line from standard input.\n\n"
            "Examples:\n"
            "  charle passwd ada@charleos.test\n"
            "  charle passwd pat@northwind.test --principal client_user <password.txt",
    .run = run,
};
