//! More faults of the classes that the default scenarios show: other keys, operators, operands, variables and settings.
//!
//! They keep the default ones honest. Not listed by default; `heal --scenario variant-…` runs them.

use crate::scenario::{Edit, FaultClass, Scenario};

/// Every variant.
pub const VARIANTS: &[Scenario] = &[
    Scenario {
        name: "variant-key-shipped",
        class: FaultClass::Code,
        message: "Use the carrier's word for the dispatch date",
        ticket: "T-1001",
        edits: &[Edit {
            file: "support/tools.py",
            find: "return dates.parse(order[\"dispatched_at\"])",
            replace: "return dates.parse(order[\"shipped_at\"])",
        }],
    },
    Scenario {
        name: "variant-key-size",
        class: FaultClass::Code,
        message: "Show the size label in exchange options",
        ticket: "T-1004",
        edits: &[Edit {
            file: "support/tools.py",
            find: "\"size\": entry[\"size\"]",
            replace: "\"size\": entry[\"size_label\"]",
        }],
    },
    Scenario {
        name: "variant-key-price",
        class: FaultClass::Code,
        message: "Compare prices by the same field",
        ticket: "T-1004",
        edits: &[Edit {
            file: "support/tools.py",
            find: "entry[\"price_cents\"] - line[\"unit_price_cents\"]",
            replace: "entry[\"price_cents\"] - line[\"price_cents\"]",
        }],
    },
    Scenario {
        name: "variant-missing-default",
        class: FaultClass::Code,
        message: "Every article has a restock date now",
        ticket: "T-1005",
        edits: &[Edit {
            file: "support/tools.py",
            find: "entry.get(\"restock_on\", \"unknown\")",
            replace: "entry[\"restock_on\"]",
        }],
    },
    Scenario {
        name: "variant-none-colour",
        class: FaultClass::Code,
        message: "Simplify the colour match",
        ticket: "T-1005",
        edits: &[Edit {
            file: "support/tools.py",
            find: "colour = entry[\"colour\"].lower() if entry[\"colour\"] else \"\"",
            replace: "colour = entry[\"colour\"].lower()",
        }],
    },
    Scenario {
        name: "variant-none-start",
        class: FaultClass::Code,
        message: "Warranty always starts with the delivery",
        ticket: "T-1012",
        edits: &[Edit {
            file: "support/tools.py",
            find: "    if start is None:\n        return {\"sku\": sku, \"covered\": True, \"until\": None, \"months\": months}\n",
            replace: "",
        }],
    },
    Scenario {
        name: "variant-comparison",
        class: FaultClass::Code,
        message: "Tidy up the tier lookup",
        ticket: "T-1003",
        edits: &[Edit {
            file: "support/tools.py",
            find: "if current + 1 < len(tiers):",
            replace: "if current + 1 <= len(tiers):",
        }],
    },
    Scenario {
        name: "variant-off-by-one-index",
        class: FaultClass::Code,
        message: "Simplify the choice of the weight band",
        ticket: "T-1007",
        edits: &[Edit {
            file: "support/tools.py",
            find: "grams <= bands[n][\"up_to_grams\"]), len(bands) - 1)",
            replace: "grams <= bands[n][\"up_to_grams\"]), len(bands))",
        }],
    },
    Scenario {
        name: "variant-off-by-one-range",
        class: FaultClass::Code,
        message: "Look at every weight band",
        ticket: "T-1007",
        edits: &[Edit {
            file: "support/tools.py",
            find: "next((n for n in range(len(bands)) if",
            replace: "next((n for n in range(len(bands) + 1) if",
        }],
    },
    Scenario {
        name: "variant-operator-fee",
        class: FaultClass::Code,
        message: "Add the restocking fee to the refund",
        ticket: "T-1009",
        edits: &[Edit {
            file: "support/tools.py",
            find: "refund = value - fee + shipping",
            replace: "refund = value + fee + shipping",
        }],
    },
    Scenario {
        name: "variant-operator-division",
        class: FaultClass::Code,
        message: "Count the weeks exactly",
        ticket: "T-1009",
        edits: &[Edit {
            file: "support/tools.py",
            find: "- policy[\"fee_free_days\"] + 6) // 7",
            replace: "- policy[\"fee_free_days\"] + 6) / 7",
        }],
    },
    Scenario {
        name: "variant-operand-policy",
        class: FaultClass::Code,
        message: "Read the weekly fee from the policy",
        ticket: "T-1009",
        edits: &[Edit {
            file: "support/tools.py",
            find: "min(weeks * policy[\"fee_percent_per_week\"],",
            replace: "min(weeks * policy,",
        }],
    },
    Scenario {
        name: "variant-other-variable-order",
        class: FaultClass::Code,
        message: "Match exchange options by the ordered model",
        ticket: "T-1004",
        edits: &[Edit {
            file: "support/tools.py",
            find: "entry[\"model\"] == line[\"model\"]",
            replace: "entry[\"model\"] == order[\"model\"]",
        }],
    },
    Scenario {
        name: "variant-other-variable-line",
        class: FaultClass::Code,
        message: "Start the warranty with the line's delivery",
        ticket: "T-1008",
        edits: &[Edit {
            file: "support/tools.py",
            find: "start = order[\"delivered_at\"] or",
            replace: "start = line[\"delivered_at\"] or",
        }],
    },
    Scenario {
        name: "variant-argument-swap",
        class: FaultClass::Code,
        message: "Reorder the warranty arithmetic",
        ticket: "T-1008",
        edits: &[Edit {
            file: "support/tools.py",
            find: "dates.add_months(dates.parse(start), months)",
            replace: "dates.add_months(months, dates.parse(start))",
        }],
    },
    Scenario {
        name: "variant-missing-parse",
        class: FaultClass::Code,
        message: "Compare warranty dates directly",
        ticket: "T-1008",
        edits: &[Edit {
            file: "support/tools.py",
            find: "\"covered\": dates.parse(today) <= until",
            replace: "\"covered\": today <= until",
        }],
    },
    Scenario {
        name: "variant-environment",
        class: FaultClass::Code,
        message: "Take the signature from the environment",
        ticket: "T-1003",
        edits: &[
            Edit {
                file: "support/agent.py",
                find: "import json\nimport re\n",
                replace: "import json\nimport os\nimport re\n",
            },
            Edit {
                file: "support/agent.py",
                find: "\"signature\": config[\"signature\"],",
                replace: "\"signature\": os.environ[\"SUPPORT_SIGNATURE\"],",
            },
        ],
    },
    Scenario {
        name: "variant-prompt-question",
        class: FaultClass::Prompt,
        message: "Speak of the ticket in the reply prompt",
        ticket: "T-1006",
        edits: &[Edit { file: "prompts/reply.txt", find: "{{question}}", replace: "{{ticket_text}}" }],
    },
    Scenario {
        name: "variant-prompt-plan",
        class: FaultClass::Prompt,
        message: "Name the current date in the plan prompt",
        ticket: "T-1003",
        edits: &[Edit { file: "prompts/plan.txt", find: "{{today}}", replace: "{{current_date}}" }],
    },
    Scenario {
        name: "variant-prompt-typo",
        class: FaultClass::Prompt,
        message: "Reword the signature rule",
        ticket: "T-1008",
        edits: &[Edit {
            file: "prompts/reply.txt",
            find: "and sign as \"{{signature}}\"",
            replace: "and sign with \"{{signatur}}\"",
        }],
    },
    Scenario {
        name: "variant-prompt-caller",
        class: FaultClass::Prompt,
        message: "Pass the client's name to the reply prompt",
        ticket: "T-1011",
        edits: &[Edit {
            file: "support/agent.py",
            find: "\"customer_name\": customer[\"name\"]",
            replace: "\"client_name\": customer[\"name\"]",
        }],
    },
    Scenario {
        name: "variant-model-retired",
        class: FaultClass::Config,
        message: "Pin the model",
        ticket: "T-1006",
        edits: &[Edit {
            file: "config.json",
            find: "\"model\": \"relay-2-mini\"",
            replace: "\"model\": \"relay-mini-0613\"",
        }],
    },
    Scenario {
        name: "variant-plan-tokens",
        class: FaultClass::Config,
        message: "Lower the limit for plans to save tokens",
        ticket: "T-1002",
        edits: &[Edit {
            file: "config.json",
            find: "\"plan_max_tokens\": 256",
            replace: "\"plan_max_tokens\": 32",
        }],
    },
    Scenario {
        name: "variant-turns",
        class: FaultClass::Config,
        message: "Stop runaway plans earlier",
        ticket: "T-1001",
        edits: &[Edit { file: "config.json", find: "\"max_turns\": 6", replace: "\"max_turns\": 2" }],
    },
    Scenario {
        name: "variant-timeout",
        class: FaultClass::Config,
        message: "Fail faster when the provider is slow",
        ticket: "T-1004",
        edits: &[Edit {
            file: "config.json",
            find: "\"timeout_seconds\": 20",
            replace: "\"timeout_seconds\": 1",
        }],
    },
    Scenario {
        name: "variant-reply-length",
        class: FaultClass::Config,
        message: "Keep replies short",
        ticket: "T-1009",
        edits: &[Edit {
            file: "config.json",
            find: "\"reply_max_characters\": 1200",
            replace: "\"reply_max_characters\": 250",
        }],
    },
    Scenario {
        name: "variant-outage-unavailable",
        class: FaultClass::Outage,
        message: "Record the provider's answer to tax questions again",
        ticket: "T-1006",
        edits: &[Edit {
            file: "recorded/vat-by-rate.json",
            find: "{\"status\": 200, \"latency_seconds\": 1.4}",
            replace: "{\"status\": 503, \"code\": \"service_unavailable\", \"message\": \"The engine is currently overloaded, please try again later\"}",
        }],
    },
];
