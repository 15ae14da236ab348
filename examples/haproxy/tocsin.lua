-- Asks Tocsin whether a request may pass, and leaves the answer in variables of the transaction.
--
-- Nothing of the client's goes to Tocsin but what is named here, so nothing needs to be stripped first.

local key = os.getenv("TOCSIN_KEY")
local url = (os.getenv("TOCSIN_URL") or "http://127.0.0.1:8440") .. "/forward-auth"
local timeout_ms = 2000

if not key or key == "" then
    error("set TOCSIN_KEY to the key of this proxy: tocsin keys create --role pep")
end

-- The user's own credentials and agent; every value, so that doubled headers are seen as such.
local passed = { "authorization", "dpop", "user-agent" }

-- Variable of the transaction for each header of an answer.
local answered = {
    ["x-tocsin-path"] = "txn.tocsin_path",
    ["x-tocsin-subject"] = "txn.tocsin_subject",
    ["x-tocsin-decision"] = "txn.tocsin_decision",
    ["x-tocsin-reliance-seconds"] = "txn.tocsin_reliance",
    ["x-tocsin-obligations"] = "txn.tocsin_obligations",
    ["www-authenticate"] = "txn.tocsin_challenge",
    ["dpop-nonce"] = "txn.tocsin_nonce",
}

local function values(headers, name)
    local found = {}
    local index = 0
    while headers[name] and headers[name][index] do
        found[#found + 1] = headers[name][index]
        index = index + 1
    end
    return found
end

local function question(txn)
    local sent = txn.http:req_get_headers()
    local headers = {
        ["x-tocsin-key"] = { key },
        ["x-forwarded-method"] = { txn.f:method() },
        ["x-forwarded-uri"] = { txn.f:pathq() },
        ["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" },
        ["x-forwarded-host"] = values(sent, "host"),
        ["x-forwarded-for"] = { txn.f:src() },
        ["x-original-content-length"] = values(sent, "content-length"),
    }
    -- Where `bind … ssl ca-file … verify optional` asks for client certificates: see docs/identity.md.
    if txn.f:ssl_c_used() == 1 and txn.f:ssl_c_verify() == 0 then
        headers["x-client-cert"] = { txn.c:base64(txn.f:ssl_c_der()) }
    end
    for _, name in ipairs(passed) do
        headers[name] = values(sent, name)
    end
    for name, list in pairs(headers) do
        if #list == 0 then
            headers[name] = nil
        end
    end
    return headers
end

core.register_action("tocsin", { "http-req" }, function(txn)
    local answer = core.httpclient():get({ url = url, headers = question(txn), timeout = timeout_ms })
    if not answer or not answer.status then
        return
    end
    for name, variable in pairs(answered) do
        local first = answer.headers and answer.headers[name] and answer.headers[name][0]
        if first then
            txn:set_var(variable, first)
        end
    end
    txn:set_var("txn.tocsin_status", answer.status)
end)
