#include "password.h"

#include "call/method.h"
#include "db/schema.h"

#include <sodium.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

const char *password_principal(const struct cli *cli)
{
    if (cli->app->principal)
        return cli->app->principal;
    return cli->app->schema->grant_count ? cli->app->schema->grants[0].principal.ptr : "user";
}

bool password_read(char *out, size_t size)
{
    struct termios shown, hidden;
    bool is_terminal = tcgetattr(STDIN_FILENO, &shown) == 0;
    if (is_terminal) {
        fprintf(stderr, "Password: ");
        hidden = shown;
        hidden.c_lflag &= (tcflag_t)~ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    bool ok = fgets(out, (int)size, stdin) != NULL;
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        fprintf(stderr, "\n");
    }
    out[strcspn(out, "\r\n")] = '\0';
    return ok;
}

enum charle_err password_set(PGconn *pg, const char *principal, const char *id, const char *password, struct charle_error *err)
{
    char hash[crypto_pwhash_STRBYTES];
    if (sodium_init() < 0 || crypto_pwhash_str(hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                               crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return charle_fail(err, CHARLE_NO_MEMORY, "hashing a password takes 64 MiB of memory, which is not there");
    const char *params[] = {principal, id, hash};
    PGresult *result = PQexecParams(pg,
                                    "insert into charle.credential (principal, principal_id, hash) values ($1, $2, $3) "
                                    "on conflict (principal, principal_id) do update set hash = excluded.hash",
                                    3, NULL, params, NULL, NULL, 0);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return ok ? CHARLE_OK : charle_fail(err, CHARLE_INTERNAL, "cannot set the password of %s: %s", id, PQerrorMessage(pg));
}
