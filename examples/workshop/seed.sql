-- Some data to begin with. Any program may write to PostgreSQL: laptops get what it wrote like everything else.
insert into mechanic (id, name, email, is_active, runs_desk) values
  ('dana', 'Dana', 'dana@workshop.test', true, true),
  ('milo', 'Milo', 'milo@workshop.test', true, false),
  ('nina', 'Nina', 'nina@workshop.test', true, false);
insert into part (id, code, name, stock, cost_cents) values
  ('p1', 'CHAIN-9', 'Chain, 9 speed', 2, 1250),
  ('p2', 'PAD-V', 'Brake pads, pair', 40, 310),
  ('p3', 'TUBE-28', 'Inner tube 28"', 25, 240);
insert into repair (id, customer, bicycle, mechanic_id, state, due_on, notes, labels, updated_at) values
  ('r1', 'Ada Byron', 'red Gazelle', 'milo', 'in_work', '2026-12-01', 'Chain jumps.', '{}', now()),
  ('r2', 'Lin Wei', 'folding Dahon', 'nina', 'in_work', '2026-12-02', E'Both brakes.\n\nBell.', '{}', now()),
  ('r3', 'Tom Reed', 'black Kona', null, 'waiting', null, 'Flat tyre.', '{}', now());
