// Signing in and out: ordinary calls of the platform's Session service.
#include "client/client.h"

#include "charle/admin.charle.h"

#include <stdio.h>

enum { LOGIN_TIMEOUT_MS = 30000 };

static void take_reply(const struct charle_login_reply *reply, struct charle_login_result *out)
{
    *out = (struct charle_login_result){.expires_at_us = reply->expires_at.us};
    snprintf(out->token, sizeof(out->token), "%.*s", CHARLE_FMT(reply->token));
    snprintf(out->principal, sizeof(out->principal), "%.*s", CHARLE_FMT(reply->principal));
    snprintf(out->principal_id, sizeof(out->principal_id), "%.*s", CHARLE_FMT(reply->principal_id));
    snprintf(out->name, sizeof(out->name), "%.*s", CHARLE_FMT(reply->name));
}

int charle_login(const struct charle_login_options *options, struct charle_login_result *out, struct charle_error *err)
{
    struct charle_channel *channel = NULL;
    struct charle_arena arena = {0};
    struct charle_login_reply reply;
    if (!options->url || !options->email || !options->password)
        return (int)charle_fail(err, CHARLE_INVALID_ARGUMENT, "signing in takes a server's address, an e-mail address and a password");
    const struct charle_channel_options channel_options = {.tls_ca_file = options->tls_ca_file, .tls_server_name = options->tls_server_name};
    const struct charle_call_options call = {.timeout_ms = options->timeout_ms ? options->timeout_ms : LOGIN_TIMEOUT_MS};
    const struct charle_login_request request = {
        .principal = charle_str(options->principal ? options->principal : "user"),
        .email = charle_str(options->email),
        .password = charle_str(options->password),
        .device_name = {.value = charle_str(options->device_name), .has = options->device_name != NULL}};
    enum charle_err rc = charle_channel_open(options->url, &channel_options, &channel, err);
    if (rc)
        return (int)rc;
    rc = charle_call(channel, &charle_session_login_method, &request, &arena, &reply, &call, err);
    if (rc == CHARLE_OK)
        take_reply(&reply, out);
    charle_channel_close(channel);
    charle_arena_deinit(&arena);
    return (int)rc;
}

int charle_client_logout(struct charle_client *client, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_logout_reply reply;
    const struct charle_logout_request request = {0};
    const struct charle_call_options call = {.timeout_ms = LOGIN_TIMEOUT_MS};
    if (!client->edge.channel)
        return (int)charle_fail(err, CHARLE_UNAVAILABLE, "no server was named, so there is no session to end");
    enum charle_err rc = charle_call(client->edge.channel, &charle_session_logout_method, &request, &arena, &reply, &call, err);
    charle_arena_deinit(&arena);
    return (int)rc;
}
