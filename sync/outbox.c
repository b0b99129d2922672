#include "sync/outbox.h"

#include "base/err.h"
#include "base/limits.h"

int ch_call_next(enum ch_call_state state, enum ch_call_event event)
{
    static const uint8_t next[CH_CALL_DONE + 1][CH_CALL_RECALL + 1] = {
        [CH_CALL_QUEUED] = {[CH_CALL_SEND] = CH_CALL_SENT, [CH_CALL_RECALL] = CH_CALL_QUEUED},
        [CH_CALL_SENT] = {[CH_CALL_SEND] = CH_CALL_SENT, [CH_CALL_JUDGE] = CH_CALL_JUDGED,
                          [CH_CALL_CONTAIN] = CH_CALL_CONTAINED, [CH_CALL_RECALL] = CH_CALL_QUEUED},
        [CH_CALL_JUDGED] = {[CH_CALL_JUDGE] = CH_CALL_JUDGED, [CH_CALL_CONTAIN] = CH_CALL_DONE,
                            [CH_CALL_RECALL] = CH_CALL_QUEUED},
        [CH_CALL_CONTAINED] = {[CH_CALL_SEND] = CH_CALL_CONTAINED, [CH_CALL_JUDGE] = CH_CALL_DONE,
                               [CH_CALL_CONTAIN] = CH_CALL_CONTAINED, [CH_CALL_RECALL] = CH_CALL_QUEUED},
        [CH_CALL_DONE] = {[CH_CALL_JUDGE] = CH_CALL_DONE, [CH_CALL_CONTAIN] = CH_CALL_DONE,
                          [CH_CALL_RECALL] = CH_CALL_QUEUED},
    };
    CHARLE_ASSERT(event >= CH_CALL_SEND && event <= CH_CALL_RECALL);
    int after = (unsigned)state <= CH_CALL_DONE ? next[state][event] : 0; // of a damaged file
    CHARLE_ASSERT(after <= CH_CALL_DONE);
    return after;
}

bool ch_push_batch_add(struct ch_push_batch *batch, size_t method_size, size_t request_size)
{
    size_t count_max = batch->count_max ? batch->count_max : CH_PUSH_CALLS_MAX;
    CHARLE_ASSERT(batch->count <= count_max);
    CHARLE_ASSERT(batch->size <= CH_PUSH_SIZE_TARGET);
    size_t size = method_size + request_size + CH_PUSH_CALL_OVERHEAD;
    if (batch->count >= count_max || (batch->count > 0 && size > CH_PUSH_SIZE_TARGET - batch->size))
        return false;
    batch->count++;
    batch->size = size > CH_PUSH_SIZE_TARGET - batch->size ? CH_PUSH_SIZE_TARGET : batch->size + size;
    CHARLE_ASSERT(batch->count > 0 && batch->size <= CH_PUSH_SIZE_TARGET);
    return true;
}

int64_t ch_park_delay_us(int attempt)
{
    static const int seconds[] = {1, 5, 30, 120, 600};
    int count = (int)(sizeof(seconds) / sizeof(seconds[0]));
    return attempt < 0 || attempt >= count ? -1 : (int64_t)seconds[attempt] * 1000000;
}

int64_t ch_redial_delay_us(int failures, uint64_t random)
{
    int64_t longest = 100000;
    for (int i = 1; i < failures && longest < CH_REDIAL_MAX_US; i++)
        longest *= 2;
    if (longest > CH_REDIAL_MAX_US)
        longest = CH_REDIAL_MAX_US;
    int64_t delay = longest - (int64_t)(random % (uint64_t)(longest / 2 + 1));
    CHARLE_ASSERT(delay >= longest / 2 && delay <= CH_REDIAL_MAX_US);
    return delay;
}
