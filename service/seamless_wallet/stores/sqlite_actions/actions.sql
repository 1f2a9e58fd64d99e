-- Statements of the audit log. The conditions of a query of people are put together in `actions_store`.

-- name: insert_action
-- Record an action under a free id, not before that of its time.
INSERT INTO action
SELECT max(?, coalesce((SELECT max(id) FROM action), 0) + 1), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
RETURNING id;

-- name: insert_outcome
-- Record what came of an action.
INSERT INTO outcome VALUES (?, ?, ?, ?, ?);

-- name: delete_outcomes
-- Delete the outcomes of some of the actions before an id.
DELETE FROM outcome WHERE id IN (SELECT id FROM action WHERE id < ? ORDER BY id LIMIT ?);

-- name: delete_actions
-- Delete as many of the actions before an id, the oldest first.
DELETE FROM action WHERE id IN (SELECT id FROM action WHERE id < ? ORDER BY id LIMIT ?);
