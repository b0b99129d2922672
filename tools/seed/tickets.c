// Help-desk tickets with their messages and time, and what people do besides tasks.
#include "tools/seed/words.h"
#include "tools/seed/world.h"

static void add_message(struct seed_world *world, int index, int64_t sent_us, bool is_from_client, bool is_internal)
{
    const struct seed_ticket *ticket = &world->tickets.items[index];
    struct seed_message *message = SEED_PUSH(world, &world->messages);

    *message = (struct seed_message){.ticket = index,
                                     .author = ticket->assignee,
                                     .author_contact = -1,
                                     .is_internal = is_internal,
                                     .sent_us = sent_us};
    if (is_from_client)
        message->author_contact =
            ticket->creator_contact >= 0 ? ticket->creator_contact : seed_pick_contact(world, ticket->client);
    if (message->author_contact >= 0)
        message->author = -1;
    else if (message->author < 0)
        message->author = world->clients.items[ticket->client].csm;
    message->body =
        is_internal ? seed_comment(&world->random, false) : seed_reply(&world->random, message->author_contact >= 0);
    seed_make_id(&world->random, sent_us, message->id);
}

static void talk(struct seed_world *world, int index)
{
    struct seed_ticket *ticket = &world->tickets.items[index];
    int64_t at_us = ticket->created_us;

    ticket->first_message = (int)world->messages.count;
    if (ticket->assignee < 0)
        return;
    ticket->responded_us = at_us + (int64_t)seed_between(&world->random, 5, 180) * 60000000;
    add_message(world, index, ticket->responded_us, false, false);
    add_message(world, index, ticket->responded_us + 600000000, true, false);
    if (seed_chance(&world->random, 40))
        add_message(world, index, ticket->responded_us + 1200000000, false, true);
    if (ticket->resolved_us)
        add_message(world, index, ticket->resolved_us, false, false);
    ticket->message_count = (int)world->messages.count - ticket->first_message;
}

static void log_ticket(struct seed_world *world, int index, int32_t day)
{
    struct seed_ticket *ticket = &world->tickets.items[index];
    int entry = seed_log(world, ticket->assignee, day, seed_between(&world->random, 2, 12) * 10, "help_desk");

    if (entry < 0)
        return;
    world->entries.items[entry].client = ticket->client;
    world->entries.items[entry].ticket = index;
    world->entries.items[entry].is_billable = true;
    ticket->actual += world->entries.items[entry].minutes;
}

// How far it came by today, by its age and some luck.
static void progress_ticket(struct seed_world *world, int index, int32_t day)
{
    struct seed_ticket *ticket = &world->tickets.items[index];
    int32_t age = world->today - day;
    int32_t work_day = seed_next_working_day(world, day + seed_between(&world->random, 0, 3));

    if (age < 1 || (age < 6 && seed_chance(&world->random, 50)))
        return;
    ticket->assignee = seed_pick_user(world, "development", work_day);
    ticket->estimate = seed_between(&world->random, 1, 8) * 15;
    ticket->start = ticket->end = work_day;
    ticket->status = work_day > world->today ? "scheduled" : "in_progress";
    if (work_day > world->today)
        return;
    log_ticket(world, index, work_day);
    if (age < 5 || seed_chance(&world->random, 6)) {
        ticket->status = seed_chance(&world->random, 50) ? "in_progress" : "awaiting_client";
        return;
    }
    ticket->status = age > 14 ? "closed" : "resolved";
    ticket->resolved_us = seed_at(world, work_day, 16);
    if (age > 14)
        ticket->closed_us = ticket->resolved_us + 7 * SEED_DAY_US;
}

static void add_ticket(struct seed_world *world, int64_t created_us)
{
    static const char *const priorities[] = {"p1", "p2", "p2", "p3", "p3", "p3", "p3", "p4"};
    struct seed_ticket *ticket = SEED_PUSH(world, &world->tickets);
    int index = (int)world->tickets.count - 1;
    int32_t day = (int32_t)(created_us / SEED_DAY_US);
    char description[512];

    do
        ticket->client = (int)seed_below(&world->random, (uint32_t)world->clients.count);
    while (world->clients.items[ticket->client].archived || world->clients.items[ticket->client].start > day);
    ticket->creator = ticket->assignee = ticket->quote = -1;
    ticket->created_us = created_us;
    ticket->creator_contact = seed_chance(&world->random, 75) ? seed_pick_contact(world, ticket->client) : -1;
    if (ticket->creator_contact < 0)
        ticket->creator = world->clients.items[ticket->client].csm;
    ticket->title = seed_ticket_title(&world->random);
    seed_task_description(&world->random, description);
    ticket->description = seed_text(world, "%s", description);
    ticket->priority = SEED_PICK(&world->random, priorities);
    ticket->status = seed_chance(&world->random, 50) ? "new" : "triaged";
    seed_make_id(&world->random, created_us, ticket->id);
    if (world->failed)
        return;
    progress_ticket(world, index, day);
    talk(world, index);
    ticket = &world->tickets.items[index];
    seed_event(world, created_us, ticket->creator, "ticket.created", "help_desk_ticket", ticket->id, ticket->client);
    if (ticket->resolved_us)
        seed_event(world, ticket->resolved_us, ticket->assignee, "ticket.resolved", "help_desk_ticket", ticket->id,
                   ticket->client);
}

void seed_make_tickets(struct seed_world *world)
{
    int days = world->today - world->first;
    int count = (int)world->options.tasks * 3 / 10;

    // In order of time, so that numbers and ids rise together.
    for (int i = 0; i < count && !world->failed; i++) {
        int old = count * 9 / 10; // the last tenth came in the last ten days
        int32_t day = i < old ? world->first + (int32_t)((int64_t)(days - 10) * i / old)
                              : world->today - 10 + 10 * (i - old) / (count - old);

        while (!seed_is_working_day(world, day))
            day--;
        add_ticket(world, seed_at(world, day, 9));
    }
}

// --- besides tasks: calls, meetings, office work ---------------------------------------------------------------------

static void log_call(struct seed_world *world, int user, int32_t day)
{
    int client = (int)seed_below(&world->random, (uint32_t)world->clients.count);
    const char *activity = seed_chance(&world->random, 80) ? "client_call" : "support";
    int entry;

    if (world->clients.items[client].archived || world->clients.items[client].start > day)
        return;
    entry = seed_log(world, user, day, 30, activity);

    if (entry >= 0)
        world->entries.items[entry].client = client;
}

void seed_make_meetings(struct seed_world *world)
{
    for (int32_t day = world->first; day <= world->today && !world->failed; day++)
        for (int i = 0; i < (int)world->users.count; i++) {
            const struct seed_user *user = &world->users.items[i];
            bool is_talker =
                user->work_type && (strcmp(user->work_type, "csm") == 0 || strcmp(user->work_type, "pm") == 0);

            if (strcmp(user->status, "active") != 0 || !user->work_type)
                continue;
            if ((day + i) % 7 == 0)
                seed_log(world, i, day, 45, "internal_meeting");
            if (is_talker && (day + i) % 5 == 0)
                log_call(world, i, day);
            if ((day + 3 * i) % 14 == 0)
                seed_log(world, i, day, 30, "admin");
        }
}
