<?php
// A shop at Stripe in PHP that is broken in the way of $WAY.
$way = getenv('WAY');
$db = new PDO('sqlite:' . getenv('FOLDER') . '/broken.sqlite3');
$db->exec('create table if not exists customers (name primary key, state)');
$customer = $_GET['customer'] ?? '';
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/verify') {
    if ($way === 'no migration') {
        throw new RuntimeException('no such table: customers');
    }
    $call = curl_init('https://api.stripe.com/v1/identity/verification_sessions');
    curl_setopt_array($call, [CURLOPT_RETURNTRANSFER => true, CURLOPT_USERPWD => getenv('STRIPE_SECRET_KEY') . ':',
        CURLOPT_HTTPHEADER => ["Idempotency-Key: $customer"],
        CURLOPT_POSTFIELDS => http_build_query(['type' => 'document', 'metadata' => ['customer' => $customer]])]);
    $session = json_decode(curl_exec($call), true);
    $db->prepare("insert or ignore into customers values (?, 'open')")->execute([$customer]);
    echo json_encode(['url' => $session['url']]);
} elseif ($path === '/webhook') {
    if ($way === 'crashes') {
        error_log('out of memory');
        posix_kill(posix_getpid(), 9);
    }
    if ($way === 'bug in the receiver') {
        throw new RuntimeException('no column named session');
    }
    $session = json_decode(file_get_contents('php://input'), true)['data']['object'];
    if ($session['status'] === 'verified') {
        $db->prepare("update customers set state = 'approved' where name = ?")->execute([$session['metadata']['customer']]);
    }
} elseif ($path === '/state') {
    $row = $db->prepare('select state from customers where name = ?');
    $row->execute([$customer]);
    echo json_encode(['state' => $row->fetchColumn() ?: 'new', 'booked' => 0]);
} else {
    http_response_code(404);
}
