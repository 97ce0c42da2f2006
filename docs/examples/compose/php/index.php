<?php
// A server that sends customers to Veriff, and believes its signed webhooks.

const VERIFF = "https://stationapi.veriff.com/v1";
$secret = getenv("VERIFF_SHARED_SECRET");
$approved = fn (string $session) => sys_get_temp_dir() . "/approved-" . hash("sha256", $session);

switch (parse_url($_SERVER["REQUEST_URI"], PHP_URL_PATH)) {
    case "/begin":
        $call = curl_init(VERIFF . "/sessions");
        curl_setopt_array($call, [
            CURLOPT_POSTFIELDS => json_encode(["verification" => ["vendorData" => "customer-17"]]),
            CURLOPT_HTTPHEADER => ["Content-Type: application/json", "X-AUTH-CLIENT: " . getenv("VERIFF_API_KEY")],
            CURLOPT_RETURNTRANSFER => true,
        ]);
        $answer = curl_exec($call);
        if ($answer === false || curl_getinfo($call, CURLINFO_RESPONSE_CODE) !== 201) {
            error_log("Veriff: " . curl_error($call));
            http_response_code(503);
            exit("later");
        }
        exit(json_decode($answer)->verification->id);

    case "/webhook":
        $body = file_get_contents("php://input");
        $given = $_SERVER["HTTP_X_HMAC_SIGNATURE"] ?? "";
        if (!hash_equals(hash_hmac("sha256", $body, $secret), strtolower($given))) {
            http_response_code(401);
            exit;
        }
        $verification = json_decode($body)->verification ?? null;
        if ($verification?->status === "approved") {
            touch($approved($verification->id));
        } elseif ($verification !== null) {
            @unlink($approved($verification->id));
        }
        exit;

    case "/verdict":
        exit(is_file($approved($_GET["session"])) ? "yes" : "no");
}
http_response_code(404);
