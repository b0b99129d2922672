// Signing in and out: calls of charle.Session.
#include "client/edge.h"

#include "charle/admin.charle.h"

#include <stdio.h>

enum { LOGIN_MS = 30000 };

static enum charle_err ask(struct charle_channel *channel, const struct charle_login_options *options,
                           struct charle_login_result *out, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_login_reply reply;
    const struct charle_login_request request = {
        .principal = charle_str(options->principal ? options->principal : "user"),
        .email = charle_str(options->email),
        .password = charle_str(options->password),
        .device_name = {charle_str(options->device_name), options->device_name != NULL},
    };
    const struct charle_call_options call = {.timeout_ms = options->timeout_ms ? options->timeout_ms : LOGIN_MS};
    enum charle_err rc = charle_call(channel, &charle_session_login_method, &request, &arena, &reply, &call, err);
    if (!rc && reply.token.len >= sizeof(out->token))
        rc = charle_fail(err, CHARLE_TOO_LARGE, "the server's token has %zu bytes; %zu is the limit", reply.token.len, sizeof(out->token) - 1);
    if (!rc) {
        snprintf(out->token, sizeof(out->token), "%.*s", CHARLE_FMT(reply.token));
        snprintf(out->principal, sizeof(out->principal), "%.*s", CHARLE_FMT(reply.principal));
        snprintf(out->principal_id, sizeof(out->principal_id), "%.*s", CHARLE_FMT(reply.principal_id));
        snprintf(out->name, sizeof(out->name), "%.*s", CHARLE_FMT(reply.name));
        out->expires_at_us = reply.expires_at.us;
    }
    charle_arena_deinit(&arena);
    return rc;
}

int charle_login(const struct charle_login_options *options, struct charle_login_result *out, struct charle_error *err)
{
    struct charle_channel *channel = NULL;
    if (!options || !options->url || !options->email || !options->password)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "signing in needs a server's address, an email address and a password");
    const struct charle_channel_options how = {.tls_ca_file = options->tls_ca_file, .tls_server_name = options->tls_server_name};
    enum charle_err rc = charle_channel_open(options->url, &how, &channel, err);
    if (rc)
        return rc;
    rc = ask(channel, options, out, err);
    charle_channel_close(channel);
    return rc;
}

int charle_client_logout(struct charle_client *client, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_logout_reply reply;
    const struct charle_logout_request request = {0};
    if (!client->channel)
        return charle_fail(err, CHARLE_UNAVAILABLE, "signing out needs the server, and this client was opened without one");
    enum charle_err rc = charle_call(client->channel, &charle_session_logout_method, &request, &arena, &reply, NULL, err);
    charle_arena_deinit(&arena);
    if (!rc)
        charle_client_set_token(client, NULL);
    return rc;
}
