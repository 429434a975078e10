# The canonical event log of a capture: counts, then a line a transaction in the order in which they ended.
# In: the report of `squall read --json`; $transactions: the lines of --transactions.
def shown: if . == null then "-" else tostring end;
"smtp " + (.smtp | "sessions=\(.sessions) starttls=\(.starttls_sessions) tls=\(.tls_sessions) transactions=\(.transactions) messages=\(.messages) recipients=\(.recipients) rejected=\(.rejected_recipients) ids=\(.message_ids) uncertain=\(.uncertain) twins=\(.twins)"),
"capture " + (.capture | "gaps=\(.gaps) one_sided=\(.one_sided_flows) undecodable=\(.undecodable)"),
($transactions[] |
    "<\(.from // "")> \(.code | shown) \(if .uncertain then "uncertain" elif .message then "message" else "none" end)"
    + " id=\(.message_id | shown) audience=\(.audience // 0) to="
    + (if .recipients == [] then "-" else
        [.recipients[] | "\(.address | shown):\(.code | shown)" + (if has("final_code") then "/\(.final_code | shown)" else "" end)] | join(",") end)
    + (if .lmtp then " lmtp" else "" end)
    + (if .tls != "none" then " tls=\(.tls)" else "" end)
    + (if .client.user then " user=\(.client.user)" else "" end)
    + (if .gap_bytes > 0 then " gap=\(.gap_bytes)" else "" end)
    + (if .twin then " twin" else "" end))
