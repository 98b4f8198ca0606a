#!/bin/sh
# Made the certificates and keys of this folder, with OpenSSL 3.0, and the texts that its command line shows of them.
# The passphrase of every encrypted key is "grandstand". It needs no second run: the tests expect what is here.
set -e
subject() { printf '/C=GB/O=Example, Ltd/CN=%s' "$1"; }
ext() { printf '%b' "$1" > ext.tmp; }
key() { openssl genpkey -quiet -out "$1" -algorithm "$2" -pkeyopt "$3"; }
sign() { # NAME ISSUER DIGEST OPTIONS...
    name=$1 issuer=$2 digest=$3; shift 3
    openssl req -new -key "$name.key" -subj "$(subject "$name")" -out req.tmp
    openssl x509 -req -in req.tmp -CA "$issuer.pem" -CAkey "$issuer.key" -set_serial "$serial" "-$digest" \
        -days 36500 -extfile ext.tmp -out "$name.pem" "$@"
    serial=$((serial + 1))
}
serial=4660
own() { openssl req -new -x509 -key "$1.key" -subj "$(subject "$1")" -days 36500 -out "$1.pem" "$2" -config conf.tmp -extensions e; }

printf '[req]\ndistinguished_name=d\n[d]\n[e]\nbasicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\n' > conf.tmp
key root.key RSA rsa_keygen_bits:2048
own root -md5
ext 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
key intermediate.key EC ec_paramgen_curve:P-384
sign intermediate root sha256
key sha1-intermediate.key RSA rsa_keygen_bits:2048
sign sha1-intermediate root sha1
ext 'basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:conf.example.com,DNS:*.rooms.example.com,IP:192.0.2.7,IP:2001:db8::7,URI:sip:conf@example.com\n'
key leaf.key EC ec_paramgen_curve:P-256
sign leaf intermediate sha256
ext 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\nsubjectAltName=DNS:client.example.com\n'
key pss.key RSA rsa_keygen_bits:2048
sign pss sha1-intermediate sha256 -sigopt rsa_padding_mode:pss
key pss-sha1.key RSA rsa_keygen_bits:2048
sign pss-sha1 sha1-intermediate sha1 -sigopt rsa_padding_mode:pss
printf '[req]\ndistinguished_name=d\n[d]\n[e]\nsubjectAltName=DNS:self.example.com\n' > conf.tmp
openssl genpkey -quiet -algorithm ED25519 -out self.key
own self -sha256
# A root of version 1, which has no extensions.
key v1.key RSA rsa_keygen_bits:1024
openssl req -new -key v1.key -subj "$(subject v1)" -out req.tmp
openssl x509 -req -in req.tmp -signkey v1.key -sha1 -days 36500 -set_serial 7 -out v1.pem
key p224.key EC ec_paramgen_curve:P-224
sign p224 intermediate sha256

secret="-passout pass:grandstand"
openssl ec -in leaf.key -out leaf-sec1.key
openssl ec -in leaf.key -aes128 -out leaf-legacy.key $secret
openssl pkcs8 -topk8 -in leaf.key -v2 aes256 -out leaf-pbes2.key $secret
openssl pkcs8 -topk8 -in leaf.key -scrypt -out leaf-scrypt.key $secret
openssl pkcs8 -topk8 -in leaf.key -v1 PBE-SHA1-3DES -out leaf-pbe.key $secret
openssl pkcs8 -topk8 -in leaf.key -v1 PBE-MD5-DES -provider legacy -provider default -out leaf-des.key $secret
openssl pkcs8 -topk8 -in leaf.key -v2 aes256 -iter 10000001 -out leaf-slow.key $secret
rm -f ./*.tmp intermediate.key sha1-intermediate.key root.key pss.key pss-sha1.key
for file in *.pem; do openssl x509 -in "$file" -noout -text -nameopt compat > "${file%.pem}.txt"; done
