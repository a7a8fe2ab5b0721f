"""An agent that trades on a classifier's out-of-sample predictions; nothing else imports it."""
