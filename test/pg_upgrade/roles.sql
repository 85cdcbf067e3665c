-- Who uses the stores of store.sql, as the README has it: roles are all databases'.
CREATE ROLE ekran_owner;
CREATE ROLE ekran_keeper LOGIN IN ROLE ekran_owner;
ALTER ROLE ekran_keeper SET role = 'ekran_owner';
CREATE ROLE ekran_agent LOGIN;
CREATE ROLE ekran_reader LOGIN;
CREATE ROLE ekran_analyst LOGIN IN ROLE ekran_reader;
CREATE ROLE team_lead LOGIN;
ALTER ROLE ekran_analyst SET ekran_sessions.idle_policy = 'excess';
