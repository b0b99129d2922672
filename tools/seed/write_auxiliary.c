// Help desk, leave, what people say, notifications and the log.
#include "tools/seed/words.h"
#include "tools/seed/write.h"

#include <stdio.h>

static void write_tickets(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->tickets.count; i++) {
        const struct seed_ticket *ticket = &world->tickets.items[i];
        int64_t latest = ticket->closed_us     ? ticket->closed_us
                         : ticket->resolved_us ? ticket->resolved_us
                                               : ticket->responded_us;

        seed_copy_row(copy);
        seed_copy_text(copy, ticket->id);
        seed_copy_int4(copy, (int32_t)i + 1);
        seed_copy_text(copy, world->clients.items[ticket->client].id);
        seed_copy_text(copy, ticket->title);
        seed_copy_text(copy, ticket->description);
        seed_copy_text(copy, ticket->priority);
        seed_copy_text(copy, ticket->status);
        seed_copy_text(copy, SEED_REF(world->users, ticket->creator));
        seed_copy_text(copy, SEED_REF(world->contacts, ticket->creator_contact));
        seed_copy_text(copy, SEED_REF(world->users, ticket->assignee));
        seed_copy_text(copy, ticket->assignee < 0 ? NULL : "development");
        seed_copy_int4_if(copy, ticket->estimate, ticket->estimate);
        seed_copy_int4(copy, ticket->actual);
        seed_copy_date_if(copy, ticket->start, seed_date(ticket->start));
        seed_copy_date_if(copy, ticket->start, seed_date(ticket->end));
        seed_copy_past_if(world, copy, ticket->responded_us);
        seed_copy_past_if(world, copy, ticket->resolved_us);
        seed_copy_past_if(world, copy, ticket->closed_us);
        seed_copy_text(copy, SEED_REF(world->quotes, ticket->quote));
        seed_copy_stamps(world, copy, ticket->created_us, latest);
    }
}

static void write_messages(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->messages.count; i++) {
        const struct seed_message *message = &world->messages.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, message->id);
        seed_copy_text(copy, world->tickets.items[message->ticket].id);
        seed_copy_text(copy, message->is_internal ? "internal" : "client");
        seed_copy_text(copy, SEED_REF(world->users, message->author));
        seed_copy_text(copy, SEED_REF(world->contacts, message->author_contact));
        seed_copy_text(copy, message->body);
        seed_copy_ts(copy, seed_past(world, message->sent_us));
        seed_copy_stamps(world, copy, message->sent_us, 0);
    }
}

static void write_leaves(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->leaves.count; i++) {
        const struct seed_leave *leave = &world->leaves.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, leave->id);
        seed_copy_text(copy, world->users.items[leave->user].id);
        seed_copy_text(copy, leave->type);
        seed_copy_text(copy, leave->day_type);
        seed_copy_date(copy, seed_date(leave->start));
        seed_copy_date(copy, seed_date(leave->end));
        seed_copy_int4(copy, leave->half_days);
        seed_copy_text(copy, leave->status);
        seed_copy_text(copy, leave->reason);
        seed_copy_text(copy, world->users.items[leave->creator].id);
        seed_copy_text(copy, SEED_REF(world->users, leave->decider));
        seed_copy_past_if(world, copy, leave->decided_us);
        seed_copy_text(copy, strcmp(leave->status, "declined") == 0 ? "Too many people are away that week" : NULL);
        seed_copy_stamps(world, copy, leave->created_us, leave->decided_us);
    }
}

static void write_balance(struct seed_world *world, struct seed_copy *copy, int user, int year)
{
    int used = 0, pending = 0;
    bool is_birthday_used = false;

    for (size_t i = 0; i < world->leaves.count; i++) {
        const struct seed_leave *leave = &world->leaves.items[i];
        bool is_approved = strcmp(leave->status, "approved") == 0;
        int leave_year, unused;

        charle_date_parts(seed_date(leave->start), &leave_year, &unused, &unused);
        if (leave->user != user || leave_year != year)
            continue;
        is_birthday_used |= is_approved && strcmp(leave->type, "birthday") == 0;
        if (strcmp(leave->type, "annual") != 0)
            continue;
        used += is_approved ? leave->half_days : 0;
        pending += strcmp(leave->status, "pending") == 0 ? leave->half_days : 0;
    }
    seed_copy_row(copy);
    seed_copy_text(copy, world->users.items[user].id);
    seed_copy_int4(copy, year);
    seed_copy_int4(copy, 50);
    seed_copy_int4(copy, user % 4);
    seed_copy_int4(copy, used);
    seed_copy_int4(copy, pending);
    seed_copy_bool(copy, is_birthday_used);
    seed_copy_ts(copy, seed_ts((int64_t)world->today * SEED_DAY_US));
}

static void write_balances(struct seed_world *world, struct seed_copy *copy)
{
    int last_year, unused;

    charle_date_parts(seed_date(world->last), &last_year, &unused, &unused);
    for (int user = 0; user < (int)world->users.count; user++)
        for (int year = world->first_year; year <= last_year; year++)
            write_balance(world, copy, user, year);
}

static void write_holidays(struct seed_world *world, struct seed_copy *copy)
{
    for (int year = world->first_year; year <= world->first_year + 3; year++) {
        struct seed_holiday holidays[10];
        size_t count = seed_holidays_of(year, holidays);

        for (size_t i = 0; i < count; i++) {
            seed_copy_row(copy);
            seed_copy_date(copy, seed_date(holidays[i].day));
            seed_copy_text(copy, holidays[i].name);
        }
    }
}

// --- what people say
// ---------------------------------------------------------------------------------------------------

static void copy_comment(struct seed_world *world, struct seed_copy *copy, const char *type, const char *subject,
                         int client, int author, int contact, int64_t at_us)
{
    bool is_for_client = contact >= 0 || seed_chance(&world->random, 25);
    const char *mention = world->users.items[3].id;

    seed_copy_row(copy);
    seed_copy_new_id(world, copy, at_us);
    seed_copy_text(copy, type);
    seed_copy_text(copy, subject);
    seed_copy_text(copy, world->clients.items[client].id);
    seed_copy_text(copy, is_for_client ? "client" : "internal");
    seed_copy_text(copy, contact >= 0 ? NULL : world->users.items[author].id);
    seed_copy_text(copy, SEED_REF(world->contacts, contact));
    seed_copy_text(copy, contact >= 0 ? seed_reply(&world->random, true) : seed_comment(&world->random, is_for_client));
    seed_copy_texts(copy, &mention, contact < 0 && seed_chance(&world->random, 10) ? 1 : 0);
    seed_copy_stamps(world, copy, at_us, 0);
}

static void write_comments(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->tasks.count; i++) {
        const struct seed_task *task = &world->tasks.items[i];

        for (int n = seed_between(&world->random, 0, 3); n > 0; n--) {
            int contact = seed_chance(&world->random, 20) ? seed_pick_contact(world, task->client) : -1;
            int64_t at_us = task->created_us + (int64_t)(4 - n) * SEED_DAY_US;

            copy_comment(world, copy, "task", task->id, task->client, task->pm, contact, at_us);
        }
    }
    for (size_t i = 0; i < world->quotes.count; i += 2) {
        const struct seed_quote *quote = &world->quotes.items[i];

        copy_comment(world, copy, "quote", quote->id, quote->client, world->clients.items[quote->client].csm, -1,
                     quote->created_us + SEED_DAY_US);
    }
    for (size_t i = 0; i < world->projects.count; i++) {
        const struct seed_project *project = &world->projects.items[i];

        copy_comment(world, copy, "project", project->id, project->client, project->pm, -1,
                     (int64_t)(project->start + 3) * SEED_DAY_US);
    }
}

static void write_attachments(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->quotes.count; i += 3) {
        const struct seed_quote *quote = &world->quotes.items[i];
        char sha[65];

        for (int part = 0; part < 4; part++)
            snprintf(sha + 16 * part, 17, "%016llx", (unsigned long long)seed_random_next(&world->random));
        seed_copy_row(copy);
        seed_copy_new_id(world, copy, quote->created_us);
        seed_copy_text(copy, "quote");
        seed_copy_text(copy, quote->id);
        seed_copy_text(copy, world->clients.items[quote->client].id);
        seed_copy_text(copy, i % 2 ? "client" : "internal");
        seed_copy_text(copy, i % 2 ? "brief.pdf" : "notes.docx");
        seed_copy_text(copy, i % 2 ? "application/pdf"
                                   : "application/vnd.openxmlformats-officedocument.wordprocessingml.document");
        seed_copy_int8(copy, 20000 + (int64_t)seed_below(&world->random, 900000));
        seed_copy_text(copy, seed_text(world, "attachments/%.2s/%s", sha, sha));
        seed_copy_text(copy, sha);
        seed_copy_text(copy, world->users.items[world->clients.items[quote->client].csm].id);
        seed_copy_stamps(world, copy, quote->created_us, 0);
    }
}

// --- notifications and the log
// -------------------------------------------------------------------------------------------

static void copy_notification(struct seed_world *world, struct seed_copy *copy, const char *user, const char *contact,
                              const char *type, const char *title, const char *subject_type, const char *subject,
                              int64_t at_us)
{
    bool is_read = at_us < (int64_t)(world->today - 3) * SEED_DAY_US;

    seed_copy_row(copy);
    seed_copy_new_id(world, copy, at_us);
    seed_copy_text(copy, user);
    seed_copy_text(copy, contact);
    seed_copy_text(copy, type);
    seed_copy_text(copy, title);
    seed_copy_text(copy, subject_type);
    seed_copy_text(copy, subject);
    seed_copy_text(copy, seed_text(world, "/%s/%s", subject_type, subject));
    seed_copy_past_if(world, copy, is_read ? at_us + 7200000000 : 0);
    seed_copy_stamps(world, copy, at_us, 0);
}

static void write_notifications(struct seed_world *world, struct seed_copy *copy)
{
    int64_t since_us = (int64_t)(world->today - 90) * SEED_DAY_US; // older ones have been trimmed

    for (size_t i = 0; i < world->reviews.count; i++) {
        const struct seed_review *review = &world->reviews.items[i];
        const struct seed_subtask *subtask = &world->subtasks.items[review->subtask];

        if (review->decided_us > since_us && subtask->assignee >= 0)
            copy_notification(world, copy, world->users.items[subtask->assignee].id, NULL, "review.decided",
                              "A review of your work was decided", "subtask", subtask->id, review->decided_us);
    }
    for (size_t i = 0; i < world->quotes.count; i++) {
        const struct seed_quote *quote = &world->quotes.items[i];
        int contact = quote->approved_us > since_us ? seed_pick_contact(world, quote->client) : -1;

        if (contact >= 0)
            copy_notification(world, copy, NULL, world->contacts.items[contact].id, "quote.ready",
                              "A quote awaits your decision", "quote", quote->id, quote->approved_us);
    }
}

static void write_events(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->events.count; i++) {
        const struct seed_event *event = &world->events.items[i];

        seed_copy_row(copy);
        seed_copy_new_id(world, copy, event->at_us);
        seed_copy_ts(copy, seed_past(world, event->at_us));
        seed_copy_text(copy, SEED_REF(world->users, event->user));
        seed_copy_text(copy, SEED_REF(world->contacts, event->contact));
        seed_copy_text(copy, event->verb);
        seed_copy_text(copy, event->subject_type);
        seed_copy_text(copy, event->subject_id);
        seed_copy_text(copy, SEED_REF(world->clients, event->client));
        seed_copy_json(copy, seed_text(world, "{\"event\":\"%s\"}", event->verb));
        seed_copy_ts(copy, seed_past(world, event->at_us));
        seed_copy_bool(copy, strcmp(event->subject_type, "quote") == 0 || strcmp(event->verb, "task.completed") == 0);
    }
}

enum charle_err seed_write_tickets(struct seed_world *world)
{
    static const struct seed_table tables[] = {
        {"help_desk_ticket",
         "id, display_id, client_id, title, description, priority, status, created_by_user_id, "
         "created_by_client_user_id, "
         "assignee_id, work_type, estimated_minutes, actual_minutes, start_date, end_date, first_responded_at, "
         "resolved_at, closed_at, "
         "converted_quote_id, created_at, updated_at",
         write_tickets},
        {"help_desk_message",
         "id, ticket_id, visibility, author_user_id, author_client_user_id, body, sent_at, created_at, updated_at",
         write_messages},
    };
    return SEED_WRITE_TABLES(world, tables);
}

enum charle_err seed_write_auxiliary(struct seed_world *world)
{
    static const struct seed_table tables[] = {
        {"leave_request",
         "id, user_id, type, day_type, start_date, end_date, half_days, status, reason, created_by_id, decided_by_id, "
         "decided_at, "
         "decision_note, created_at, updated_at",
         write_leaves},
        {"leave_balance",
         "user_id, year, entitlement_half_days, carried_half_days, used_half_days, pending_half_days, birthday_used, "
         "updated_at",
         write_balances},
        {"bank_holiday", "date, name", write_holidays},
        {"comment",
         "id, subject_type, subject_id, client_id, visibility, author_user_id, author_client_user_id, body, mentions, "
         "created_at, updated_at",
         write_comments},
        {"attachment",
         "id, subject_type, subject_id, client_id, visibility, file_name, content_type, size_bytes, storage_key, "
         "sha256, "
         "uploaded_by_user_id, created_at, updated_at",
         write_attachments},
        {"notification",
         "id, recipient_user_id, recipient_client_user_id, type, title, subject_type, subject_id, url, read_at, "
         "created_at, updated_at",
         write_notifications},
        {"activity_log",
         "id, at, actor_user_id, actor_client_user_id, verb, subject_type, subject_id, client_id, after, occurred_at, "
         "client_visible",
         write_events},
    };
    return SEED_WRITE_TABLES(world, tables);
}
