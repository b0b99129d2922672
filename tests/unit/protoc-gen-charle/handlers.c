// What a developer would write for the service of small.proto.
#include "small.handlers.charle.h"

enum charle_err small_jobs_close(struct charle_context *context, const struct small_close_request *request,
                                 struct small_close_reply *reply, struct charle_error *err)
{
    if (request->job_id.len == 0)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "job_id is empty; name the job");
    reply->closed_at = context->now;
    return CHARLE_OK;
}

enum charle_err small_jobs_watch(struct charle_context *context, const struct small_close_request *request,
                                 struct charle_stream *stream, struct charle_error *err)
{
    struct small_close_reply reply = {.closed_at = context->now};

    (void)request;
    return charle_stream_send(stream, &reply, err);
}

enum charle_err small_jobs_ping(struct charle_context *context, const struct small_close_reply *request,
                                struct small_close_reply *reply, struct charle_error *err)
{
    (void)context;
    (void)err;
    *reply = *request;
    return CHARLE_OK;
}
