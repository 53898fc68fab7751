# Writes one PEM file for each authority that certdata.txt trusts for TLS servers.
# usage: perl certificates.pl CERTDATA DIRECTORY
use strict;
use warnings;
use MIME::Base64;

my ($input, $directory) = @ARGV;
open my $in, '<', $input or die "$input: $!\n";
my (@objects, $object);
while (<$in>) {
  if (/^CKA_CLASS CK_OBJECT_CLASS (\S+)/) {
    push @objects, $object = { class => $1 };
  } elsif ($object && /^(CKA_\S+) MULTILINE_OCTAL/) {
    my ($name, $bytes) = ($1, '');
    while (<$in>) {
      last if /^END/;
      $bytes .= chr oct $1 while /\\([0-7]{3})/g;
    }
    $object->{$name} = $bytes;
  } elsif ($object && /^(CKA_\S+) UTF8 "(.*)"/) {
    $object->{$1} = $2;
  } elsif ($object && /^(CKA_TRUST_\S+) CK_TRUST (\S+)/) {
    $object->{$1} = $2;
  }
}

# Trust names its certificate by issuer and serial number.
my %trusted;
for (grep { $_->{class} eq 'CKO_NSS_TRUST' } @objects) {
  my $trust = $_->{CKA_TRUST_SERVER_AUTH} // '';
  $trusted{"$_->{CKA_ISSUER}\0$_->{CKA_SERIAL_NUMBER}"} = 1 if $trust eq 'CKT_NSS_TRUSTED_DELEGATOR';
}
my (%used, $count);
for (grep { $_->{class} eq 'CKO_CERTIFICATE' } @objects) {
  next unless $trusted{"$_->{CKA_ISSUER}\0$_->{CKA_SERIAL_NUMBER}"};
  my $name = $_->{CKA_LABEL};
  $name =~ s/\\x([0-9a-fA-F]{2})/chr hex $1/ge;
  $name =~ s/[^A-Za-z0-9.-]+/_/g;
  $name .= '_2' while $used{$name}++;
  my $text = encode_base64($_->{CKA_VALUE}, '');
  $text =~ s/(.{1,64})/$1\n/g;
  open my $out, '>', "$directory/$name.crt" or die "$directory/$name.crt: $!\n";
  print $out "-----BEGIN CERTIFICATE-----\n$text-----END CERTIFICATE-----\n";
  close $out or die "$directory/$name.crt: $!\n";
  $count++;
}
die "$input: no trusted certificate\n" unless $count;
