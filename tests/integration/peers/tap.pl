# Read names of TAP files, and write what Perl's TAP::Parser says of each as a line of JSON.
use strict;
use warnings;
use JSON::PP;
use TAP::Parser;

$| = 1;
while (my $file = <STDIN>) {
    chomp $file;
    open my $handle, '<', $file or die "$file: $!";
    my $text = do { local $/; <$handle> };
    my %said = (file => $file);
    my $ended = eval {
        local $SIG{ALRM} = sub { die "it did not end\n" };    # on YAML that it does not understand
        alarm 10;
        my $parser = TAP::Parser->new({tap => $text});
        my ($count, $bad) = (0, 0);
        while (my $result = $parser->next) {
            next unless $result->is_test;
            $count++;
            $bad++ unless $result->is_actual_ok || $result->has_todo || $result->has_skip;
        }
        alarm 0;
        @said{qw(count bad good why)} =
            ($count, $bad, $parser->has_problems ? JSON::PP::false : JSON::PP::true, join '; ', $parser->parse_errors);
        1;
    };
    $said{died} = "$@" unless $ended;
    print encode_json(\%said), "\n";
}
