<?php
// Veriff, in PHP: `php -S 127.0.0.1:PORT shop.php`, with MISTAKE and FOLDER in the environment.
$mistake = getenv("MISTAKE");
$db = new SQLite3(getenv("FOLDER") . "/shop.sqlite3");
$db->busyTimeout(10000);
$db->exec("CREATE TABLE IF NOT EXISTS tries (customer, session, url, state, booked DEFAULT 0)");
$path = parse_url($_SERVER["REQUEST_URI"], PHP_URL_PATH);
$customer = $_GET["customer"] ?? "";

function rows($sql, ...$values) {
    global $db;
    $statement = $db->prepare($sql);
    foreach ($values as $position => $value) $statement->bindValue($position + 1, $value);
    $result = $statement->execute();
    $rows = [];
    if ($result->numColumns() === 0) return $rows; // fetchArray would run a change again
    while ($row = $result->fetchArray(SQLITE3_ASSOC)) $rows[] = $row;
    return $rows;
}

function veriff($method, $path, $body, $signed) {
    $call = curl_init("https://stationapi.veriff.com/v1" . $path);
    $signature = hash_hmac("sha256", $signed, getenv("VERIFF_SHARED_SECRET"));
    $headers = ["Content-Type: application/json", "X-AUTH-CLIENT: " . getenv("VERIFF_API_KEY"), "X-HMAC-SIGNATURE: $signature"];
    curl_setopt_array($call, [CURLOPT_CUSTOMREQUEST => $method, CURLOPT_RETURNTRANSFER => true, CURLOPT_HTTPHEADER => $headers, CURLOPT_TIMEOUT => 10]);
    if ($body !== null) curl_setopt($call, CURLOPT_POSTFIELDS, $body);
    $answer = curl_exec($call);
    if ($answer === false || curl_getinfo($call, CURLINFO_RESPONSE_CODE) >= 400) { http_response_code(503); exit; }
    return json_decode($answer, true);
}

if ($path === "/verify") {
    $open = rows("SELECT * FROM tries WHERE customer = ? AND state IN ('open', 'approved')", $customer);
    if ($open) { echo json_encode($open[0]); exit; }
    $body = json_encode(["verification" => ["vendorData" => $customer]]);
    $session = veriff("POST", "/sessions", $body, $body)["verification"];
    rows("INSERT INTO tries (customer, session, url, state) VALUES (?, ?, ?, 'open')", $customer, $session["id"], $session["url"]);
    echo json_encode(["url" => $session["url"]]);
} elseif ($path === "/state") {
    $tries = rows("SELECT state, booked FROM tries WHERE customer = ? ORDER BY rowid DESC", $customer);
    foreach ($tries as $try) if ($try["state"] === "approved") $tries = [$try];
    echo json_encode($tries[0] ?? ["state" => "new"]);
} else {
    $body = file_get_contents("php://input");
    $verified = $mistake === "verifies written again" ? json_encode(json_decode($body)) : $body;
    $expected = hash_hmac("sha256", $verified, getenv("VERIFF_SHARED_SECRET"));
    if (!hash_equals($expected, $_SERVER["HTTP_X_HMAC_SIGNATURE"] ?? "")) { http_response_code(401); exit; }
    $id = json_decode($body, true)["verification"]["id"];
    $decision = veriff("GET", "/sessions/$id/decision", null, $id)["verification"];
    $state = ["approved" => "approved", "declined" => "declined", "expired" => "none", "abandoned" => "none"][$decision["status"] ?? ""] ?? "open";
    if ($mistake === "books at each event" || !rows("SELECT 1 FROM tries WHERE session = ? AND state = 'approved'", $id))
        rows("UPDATE tries SET booked = booked + ? WHERE session = ?", $state === "approved" ? 1 : 0, $id);
    rows("UPDATE tries SET state = ? WHERE session = ?", $state, $id);
}
